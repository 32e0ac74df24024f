# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the layers go: how many on each device, and what stays with the host."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..contract.launch import CacheType, Launch
from ..memory.context import DEFAULT_BATCH, DEFAULT_UBATCH
from .machine import DEVICE_PREFIX, Device

CONTEXT_STEP = 256
SERVER_SLOTS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What a launch is for, before it is known where things go.

    `context` is tokens per request. `parallel` None is llama-server's own way, four slots that share the context;
    a number gives each of so many requests the full context. `ubatch` is the tokens of a prompt that are computed at once.
    """

    context: int
    parallel: int | None
    cache_type: CacheType
    ubatch: int = DEFAULT_UBATCH

    @property
    def kind(self) -> tuple[int | None, CacheType, int]:
        """Return what is the same for all lengths of context."""
        return self.parallel, self.cache_type, self.ubatch

    def of(self, context: int) -> Shape:
        """Return the same with another length of context."""
        return dataclasses.replace(self, context=context)


# What the experts of a layer are made of, in the order in which they are kept on a GPU that has no room for all.
PROJECTIONS = ("up", "gate", "gate_up", "down")

_OVERRIDE = re.compile(r"blk\\\.\((?P<layers>[\d|]+)\)\\\.ffn_\((?P<projections>[a-z_|]+)\)_\(ch\|\)exps=CPU")


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Layers over devices. The output counts as the last layer, as in llama.cpp.

    `counts` are layers for each of `devices`, in order. The first `host_layers` layers stay with the host altogether.
    `experts` names for other layers the projections of their experts that do, on each device at one end of its layers.
    """

    devices: tuple[Device, ...]
    counts: tuple[int, ...]
    host_layers: int = 0
    experts: tuple[tuple[int, tuple[str, ...]], ...] = ()

    @classmethod
    def on(
        cls,
        devices: tuple[Device, ...],
        counts: t.Sequence[int],
        host_layers: int = 0,
        experts: tuple[tuple[int, tuple[str, ...]], ...] = (),
    ) -> Layout:
        """Return a layout without the devices that no layer is left for."""
        used = [(device, count) for device, count in zip(devices, counts, strict=True) if count]
        return cls(
            tuple(device for device, _count in used), tuple(count for _device, count in used), host_layers, experts
        )

    @property
    def borders(self) -> list[int]:
        """Return for each device its first layer whose experts are on it, as if those at its beginning stayed with the host.

        For speed it does not matter which of its layers they are.
        """
        borders, start = [], self.host_layers
        for count in self.counts:
            hosted = sum(1 for layer, _projections in self.experts if start <= layer < start + count)
            borders.append(start + hosted)
            start += count
        return borders

    def launch(self, shape: Shape, whole: t.Mapping[int, tuple[str, ...]]) -> Launch:
        """Return the options of llama-server that make it so, and that keep it from choosing anything itself.

        :param whole: the projections of each layer that has experts.
        """
        slots = shape.parallel or SERVER_SLOTS
        names = [f"{DEVICE_PREFIX[device.gpu.vendor]}{place}" for place, device in enumerate(self.devices)]
        first, entries = self._options(whole)
        return Launch(
            ctx_size=padded(shape.context) * (shape.parallel or 1),
            parallel=slots,
            kv_unified=shape.parallel is None,
            cache_type_k=None if shape.cache_type == "f16" else shape.cache_type,
            cache_type_v=None if shape.cache_type == "f16" else shape.cache_type,
            device=names or ["none"],
            n_gpu_layers=sum(self.counts),
            tensor_split=list(map(float, self.counts)) if len(self.counts) > 1 else None,
            n_cpu_moe=first or None,
            batch_size=shape.ubatch if shape.ubatch > DEFAULT_BATCH else None,
            ubatch_size=None if shape.ubatch == DEFAULT_UBATCH else shape.ubatch,
            override_tensor=entries or None,
            fit="off",
        )

    def _options(self, whole: t.Mapping[int, tuple[str, ...]]) -> tuple[int, list[str]]:
        """Return the experts with the host as options: `n_cpu_moe` for the first layers, and patterns for the rest."""
        hosted = dict(self.experts)
        first = 0
        for layer in sorted(whole):
            if hosted.get(layer) != whole[layer]:
                break
            first = layer + 1
        groups: dict[tuple[str, ...], list[int]] = {}
        for layer, projections in self.experts:
            if layer >= first:
                groups.setdefault(projections, []).append(layer)
        return first, [
            rf"blk\.({'|'.join(map(str, layers))})\.ffn_({'|'.join(projections)})_(ch|)exps=CPU"
            for projections, layers in groups.items()
        ]


def experts_of(launch: Launch, whole: t.Mapping[int, tuple[str, ...]]) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Return the experts that a launch of :meth:`Layout.launch` leaves with the host."""
    hosted = {layer: projections for layer, projections in whole.items() if layer < (launch.n_cpu_moe or 0)}
    for entry in launch.override_tensor or ():
        if match := _OVERRIDE.fullmatch(entry):
            hosted |= dict.fromkeys(map(int, match["layers"].split("|")), tuple(match["projections"].split("|")))
    return tuple(sorted(hosted.items()))


def padded(context: int) -> int:
    """Return the context as llama.cpp rounds it, up to a multiple of 256 cells."""
    return -(-context // CONTEXT_STEP) * CONTEXT_STEP
