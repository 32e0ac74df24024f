# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`memory_estimate`: what every device and the host will hold, and where each figure comes from."""

from __future__ import annotations

import typing as t

from .base import Contract

Basis = t.Literal["file", "formula", "bound", "measured", "assumed"]


class MemoryLine(Contract):
    """One thing that takes memory. `where` is a device's name or host; a `bound` may be larger than the truth, never smaller."""

    what: str
    where: str
    bytes: int
    basis: Basis


class DeviceUse(Contract):
    """What one GPU holds. `overhead_bytes`: what the runtime takes outside llama.cpp's own buffers."""

    name: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    overhead_bytes: int
    total_bytes: int


class HostUse(Contract):
    """What the host's memory holds. `weights_bytes` are file pages where the file is mapped."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    output_bytes: int
    total_bytes: int


class MemoryEstimate(Contract):
    """Bytes per device as llama.cpp allocates them, and the context it will have."""

    n_ctx: int
    n_ctx_seq: int
    n_ubatch: int
    devices: list[DeviceUse]
    host: HostUse
    lines: list[MemoryLine]
    warnings: list[str] = []
