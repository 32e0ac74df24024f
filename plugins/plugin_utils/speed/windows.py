# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far each layer looks back."""

from __future__ import annotations

from ..model.model import Model

# Every how many layers one looks at the whole context, where llama.cpp has it in code and no key says so.
_PERIODS = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4, "llama4": 4, "gemma3n": 5, "exaone4": 4, "olmo2": 4}
_CHUNK = {"llama4": 8192}


def attention_windows(model: Model, layers: int) -> tuple[int | None, ...]:
    """Return for each layer the tokens it may look back at, None where that is the whole context."""
    window = model.get("attention.sliding_window") or _CHUNK.get(model.architecture)
    if not window:
        return (None,) * layers
    pattern = model.get("attention.sliding_window_pattern")
    if isinstance(pattern, (list, tuple)):
        return tuple(window if index < len(pattern) and pattern[index] else None for index in range(layers))
    period = pattern if isinstance(pattern, int) else _PERIODS.get(model.architecture, 0)
    if not period:
        return (None,) * layers
    return tuple(None if (index + 1) % period == 0 else window for index in range(layers))
