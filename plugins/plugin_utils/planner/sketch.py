# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layouts by arithmetic: what would be best at a given context, if buffers are what is known of them so far.

As much as possible on GPUs, then experts with the host, then whole layers.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..contract.plan import Placement
from ..contract.request import Allow, Reserve
from ..memory.overhead import overhead_lines, pool_growth_bytes
from ..speed.decode import decode_seconds
from ..speed.host_rates import host_rates
from ..speed.rates import EXPECTED, DeviceRates, device_rates
from .buffers import Buffers, Sizes
from .costs import Costs
from .filling import filled
from .layout import Layout, Shape
from .machine import Device, Machine
from .observed import Observed
from .partition import partition

# The order in which placements are preferred.
RANK: dict[Placement, int] = {"gpu": 0, "gpu+host": 1, "host": 2, "disk": 3, "none": 4}

# How a layout came about, as far as its buffers depend on it.
Way = t.Literal["whole", "experts of the last layers", "experts of the first layers", "layers", "host"]

# With either end's experts on the host.
ENDS: tuple[Way, Way] = ("experts of the first layers", "experts of the last layers")

Kind = tuple[Way, tuple[int, ...], t.Hashable]


@dataclasses.dataclass(frozen=True, slots=True)
class Sketch:
    """A layout that the machine may hold; `devices` are those it could have used.

    `seconds` is what a token takes at the shortest context worth serving, so that layouts for different contexts compare.
    `ram_bytes` is the RAM left for weights where not all of them fit there, else None.
    """

    way: Way
    devices: tuple[Device, ...]
    placement: Placement
    shape: Shape
    layout: Layout
    seconds: float
    ram_bytes: int | None

    @property
    def rank(self) -> int:
        return RANK[self.placement]

    @property
    def from_memory(self) -> bool:
        """Whether nothing is read from disk while generating."""
        return self.rank <= RANK["host"]

    @property
    def kind(self) -> Kind:
        """Return what sketches have in common that need the same buffers."""
        return kind_of(self.way, self.devices, self.shape)


def kind_of(way: Way, devices: tuple[Device, ...], shape: Shape) -> Kind:
    """Return what is the same for layouts that came about in the same way."""
    return way, tuple(device.index for device in devices), shape.kind


class Sketches:
    """All layouts of one model on one machine, by what is known of their buffers."""

    def __init__(self, machine: Machine, costs: Costs, allow: Allow, reserve: Reserve, depth: int) -> None:
        self.machine = machine
        self.costs = costs
        self.allow = allow
        self.reserve = reserve
        self.depth = depth
        self.buffers = Buffers()
        self.observed = Observed(machine, costs)
        self.host_rates = host_rates(machine.host)
        self._rates = {device.index: device_rates(device.gpu) for device in machine.devices}
        engine = costs.engine["version"]
        self._overhead = {
            device.index: (self._overhead_of(device, engine), pool_growth_bytes(engine)) for device in machine.devices
        }
        self._groups = _different(machine.groups)
        self._orders = [order for group in self._groups for order in self._ranked(group)]

    def _overhead_of(self, device: Device, engine: str) -> int:
        measured = self.observed.overhead(device)
        lines = overhead_lines(engine, device.gpu.compute_capability)
        return sum(line.bytes for line in lines) if measured is None else measured

    def best(self, shape: Shape) -> Sketch | None:
        """Return the best that the machine could hold in this shape, or None."""
        if whole := self.on_gpus(shape):
            return whole
        if not self.allow.host:
            return None
        split = [found for group in self._groups if (found := self._split(shape, group))]
        if split:
            return min(split, key=lambda found: (found.rank, found.seconds))
        return self._backed("host", (), shape, Layout((), (), self.costs.layers))

    def on_gpus(self, shape: Shape) -> Sketch | None:
        """Return the best with every layer on GPUs: on the fewest of the largest, or of the fastest if that is faster.

        A further device only adds a hop to each token.
        """
        least = [found for devices in self._orders if (found := self._fewest(shape, devices))]
        return min(least, key=lambda found: (found.seconds, len(found.layout.devices)), default=None)

    def _ranked(self, group: tuple[Device, ...]) -> t.Iterable[tuple[Device, ...]]:
        """Return the devices of a group in the orders in which they are taken."""
        orders = (
            lambda device: (-device.free_bytes, device.index),
            lambda device: (-self._rates[device.index].read[EXPECTED], device.index),
        )
        return dict.fromkeys(tuple(sorted(group, key=order)) for order in orders)

    def _fewest(self, shape: Shape, ranked: tuple[Device, ...]) -> Sketch | None:
        """Return the layout on the shortest beginning of a list of devices, put into the machine's order."""
        layers = self.costs.on_gpu(shape, with_experts=True)
        for number in range(1, len(ranked) + 1):
            devices = tuple(sorted(ranked[:number], key=lambda device: device.index))
            counts = partition(layers, self._room(devices, self._beside("whole", devices, shape)))
            found = self._backed("whole", devices, shape, Layout.on(devices, counts)) if counts else None
            if found:
                return found
        return None

    def _split(self, shape: Shape, group: tuple[Device, ...]) -> Sketch | None:
        """Return the best with a part of the weights on the host, experts before whole layers."""
        experts = self._experts_with_host(shape, group) if self.costs.whole_experts else None
        return experts or self._layers_with_host(shape, group)

    def _experts_with_host(self, shape: Shape, devices: tuple[Device, ...]) -> Sketch | None:
        """Return all layers on GPUs, with as many routed experts as there is room for.

        Layers differ in type and so in size, and the largest of those with the host is copied through the first GPU for
        large batches: which end of the layers stays with the host decides how much fits.
        """
        found = [one for way in ENDS if (one := self._experts_from(shape, devices, way))]
        return min(found, key=lambda one: self.costs.on_host(shape, one.layout)[0], default=None)

    def hopeful(self, shape: Shape) -> Sketch | None:
        """Return the best with experts on the host, if each end needs no more than what is known of either.

        How memory is cut up depends on which experts are away, so that one layout may need less than its like did.
        """
        found = []
        for group in self._groups:
            known = [self.buffers.at(kind_of(way, group, shape), shape.context) for way in ENDS]
            least = tuple(map(min, *(sizes for sizes in known if sizes))) if all(known) else None
            if least:
                found += [one for way in ENDS if (one := self._experts_from(shape, group, way, least))]
        return min(found, key=lambda one: self.costs.on_host(shape, one.layout)[0], default=None)

    def _experts_from(
        self, shape: Shape, devices: tuple[Device, ...], way: Way, beside: Sizes | None = None
    ) -> Sketch | None:
        rest = self.costs.on_gpu(shape, with_experts=False)
        room = self._room(devices, beside or self._beside(way, devices, shape))
        answer = filled(rest, self.costs.experts, room, last_first=way == ENDS[0])
        if answer is None:
            return None
        counts, experts = answer
        return self._backed(way, devices, shape, Layout.on(devices, counts, 0, experts))

    def _layers_with_host(self, shape: Shape, devices: tuple[Device, ...]) -> Sketch | None:
        """Return the layout with the fewest layers on the host; with some, the experts of all layers are there too."""
        layers = self.costs.on_gpu(shape, with_experts=False)
        room = self._room(devices, self._beside("layers", devices, shape))
        low, high = 1, self.costs.layers
        while low < high:
            middle = (low + high) // 2
            if partition(layers[middle:], room) is None:
                low = middle + 1
            else:
                high = middle
        counts = partition(layers[low:], room) if low < self.costs.layers else None
        if counts is None:
            return None
        return self._backed("layers", devices, shape, Layout.on(devices, counts, low, self.costs.hosted_experts(low)))

    def _room(self, devices: tuple[Device, ...], beside: Sizes) -> list[int]:
        """Return the bytes that weights and cache may take on each device."""
        return [self.room(device) - size for device, size in zip(devices, beside, strict=False)]

    def room(self, device: Device, runs: bool = False) -> int:
        """Return the bytes of a device that llama.cpp's own buffers may take: overhead and growth count inside the reserve.

        What `runs` already has grown, and may take half of the reserve.
        """
        reserve = self.reserve.vram_bytes_per_gpu // (2 if runs else 1)
        overhead, growth = self._overhead[device.index]
        return device.free_bytes - max(reserve, overhead + (0 if runs else growth))

    def _backed(self, way: Way, devices: tuple[Device, ...], shape: Shape, layout: Layout) -> Sketch | None:
        weights, cache = self.costs.on_host(shape, layout)
        more_weights, more = self._beside(way, devices, shape)[-2:]
        return self.backed(
            way, devices, shape, layout, weights + more_weights, cache + more, self._shared(layout, shape)
        )

    def backed(
        self,
        way: Way,
        devices: tuple[Device, ...],
        shape: Shape,
        layout: Layout,
        weights_bytes: int,
        other_bytes: int,
        shared_bytes: int,
    ) -> Sketch | None:
        """Say what holds the part that is with the host: RAM, or the disk as far as it is weights.

        :param shared_bytes: what the GPUs hold of a memory that they share with the host.
        """
        ram = self.machine.ram_bytes - shared_bytes
        # With every layer on a GPU the host keeps the token embedding, of which a token reads one row.
        on_host = bool(layout.host_layers or layout.experts)
        if weights_bytes + other_bytes <= ram:
            placement: Placement = "gpu" if not on_host else "gpu+host" if layout.devices else "host"
            ram_for_weights = None
        elif self.allow.disk and other_bytes <= ram:
            placement = "disk"
            ram_for_weights = ram - other_bytes
        else:
            return None
        work = self.costs.workload(shape.cache_type, self.depth).work(layout.counts, layout.host_layers, layout.borders)
        seconds = decode_seconds(work, self.rates(layout), self.host_rates, ram_for_weights)
        return Sketch(way, devices, placement, shape, layout, seconds, ram_for_weights)

    def rates(self, layout: Layout) -> list[DeviceRates]:
        """Return the rates of a layout's devices, in their order."""
        return [self._rates[device.index] for device in layout.devices]

    def _shared(self, layout: Layout, shape: Shape) -> int:
        return sum(self.costs.on_devices(shape, layout)) if self.machine.shares_memory else 0

    def _beside(self, way: Way, devices: tuple[Device, ...], shape: Shape) -> Sizes:
        return self.buffers.at(kind_of(way, devices, shape), shape.context) or (0,) * (len(devices) + 2)


def _different(groups: t.Iterable[tuple[Device, ...]]) -> list[tuple[Device, ...]]:
    """Return the groups without those that are like one before."""
    return list({tuple(device.likeness for device in group): group for group in reversed(list(groups))}.values())[::-1]
