# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`memory_estimate`: what every device and the host will hold, and where each figure comes from."""

from __future__ import annotations

import typing as t

from .base import Contract

Basis = t.Literal["file", "formula", "bound", "measured", "assumed"]


class MemoryLine(Contract):
    """One thing that takes memory. `where` is a device's name or host; a `bound` may be larger than the truth, never smaller.

    What comes `later` is not there after the start: it may be added while the server runs, and is in no total.
    """

    what: str
    where: str
    bytes: int
    basis: Basis
    later: bool = False


class DeviceUse(Contract):
    """What one GPU holds.

    `extras_bytes`: what is loaded beside the model (projector, draft, adapters). `overhead_bytes`: what the runtime takes
    outside llama.cpp's own buffers. `growth_bytes`: what may be added later, not in the total.
    """

    name: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    overhead_bytes: int
    total_bytes: int
    extras_bytes: int = 0
    growth_bytes: int = 0


class HostUse(Contract):
    """What the host's memory holds.

    Of the total, `mapped_bytes` are pages of files, which the kernel may drop and read again, and `pinned_bytes` can not be
    swapped out. `extras_bytes` and `growth_bytes` as on a GPU; the prompt cache and context checkpoints are growth.
    """

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    output_bytes: int
    total_bytes: int
    extras_bytes: int = 0
    mapped_bytes: int = 0
    pinned_bytes: int = 0
    growth_bytes: int = 0


class MemoryEstimate(Contract):
    """Bytes per device as llama.cpp allocates them, and the context it will have."""

    n_ctx: int
    n_ctx_seq: int
    n_ubatch: int
    devices: list[DeviceUse]
    host: HostUse
    lines: list[MemoryLine]
    warnings: list[str] = []
