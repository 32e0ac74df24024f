# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the layers go: how many on each device, and what stays with the host."""

from __future__ import annotations

import dataclasses

from ..contract.launch import CacheType, Launch
from .machine import DEVICE_PREFIX, Device

CONTEXT_STEP = 256
SERVER_SLOTS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What a launch is for, before it is known where things go.

    `context` is tokens per request. `parallel` None is llama-server's own way, four slots that share the context;
    a number gives each of so many requests the full context.
    """

    context: int
    parallel: int | None
    cache_type: CacheType


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Layers over devices. The output counts as the last layer, as in llama.cpp.

    `counts` are layers for each of `devices`, in order. The first `host_layers` layers stay with the host altogether;
    of the first `host_experts` layers the routed experts do.
    """

    devices: tuple[Device, ...]
    counts: tuple[int, ...]
    host_layers: int = 0
    host_experts: int = 0

    def launch(self, shape: Shape) -> Launch:
        """Return the options of llama-server that make it so, and that keep it from choosing anything itself."""
        slots = shape.parallel or SERVER_SLOTS
        names = [f"{DEVICE_PREFIX[device.gpu.vendor]}{place}" for place, device in enumerate(self.devices)]
        return Launch(
            ctx_size=padded(shape.context) * (shape.parallel or 1),
            parallel=slots,
            kv_unified=shape.parallel is None,
            cache_type_k=None if shape.cache_type == "f16" else shape.cache_type,
            cache_type_v=None if shape.cache_type == "f16" else shape.cache_type,
            device=names or ["none"],
            n_gpu_layers=sum(self.counts),
            tensor_split=list(map(float, self.counts)) if len(self.counts) > 1 else None,
            n_cpu_moe=self.host_experts if self.host_experts > self.host_layers else None,
            fit="off",
        )


def padded(context: int) -> int:
    """Return the context as llama.cpp rounds it, up to a multiple of 256 cells."""
    return -(-context // CONTEXT_STEP) * CONTEXT_STEP
