# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Falcon-H1: attention and Mamba-2 side by side in every block."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention
from ..blocks.feed_forward import dense
from ..blocks.recurrent import mamba2
from ..hyperparameters import Hyperparameters
from ..part import VECTOR, Architecture, Entry, nothing, sequence, vectors


def _feed_forward_norm(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """The converter writes this one name without the suffix `.weight`."""
    yield "ffn_norm", (h.embedding,), VECTOR


ARCHITECTURES = {
    "falcon-h1": Architecture(
        block=sequence(vectors("attn_norm"), attention(), mamba2, _feed_forward_norm, dense), top=nothing
    )
}
