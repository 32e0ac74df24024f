# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The best layout at a given context: as much as possible on GPUs, then experts with the host, then whole layers."""

from __future__ import annotations

import dataclasses
import typing as t

from ..contract.launch import Launch
from ..contract.memory import MemoryEstimate
from ..contract.plan import Placement
from ..contract.request import Allow, Reserve
from ..speed.decode import decode_seconds
from ..speed.host_rates import host_rates
from ..speed.rates import EXPECTED, DeviceRates, device_rates
from .costs import Costs
from .filling import filled
from .layout import Layout, Shape
from .machine import Device, Machine
from .partition import partition

# The order in which placements are preferred.
RANK: dict[Placement, int] = {"gpu": 0, "gpu+host": 1, "host": 2, "disk": 3, "none": 4}

# A layout moves the compute buffers, which move the room for layers: so many looks are enough to settle, or to give up.
LOOKS = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A layout that the machine can hold.

    `seconds` is what a token takes at the shortest context worth serving, so that layouts for different contexts compare.
    `ram_bytes` is the RAM left for weights where not all of them fit there, else None.
    """

    placement: Placement
    shape: Shape
    layout: Layout
    launch: Launch
    memory: MemoryEstimate
    seconds: float
    ram_bytes: int | None

    @property
    def rank(self) -> int:
        return RANK[self.placement]

    @property
    def from_memory(self) -> bool:
        """Whether nothing is read from disk while generating."""
        return self.rank <= RANK["host"]


class Search:
    """All layouts of one model on one machine; results are kept, since the search for a context asks again and again."""

    def __init__(self, machine: Machine, costs: Costs, allow: Allow, reserve: Reserve, depth: int) -> None:
        self.machine = machine
        self.costs = costs
        self.allow = allow
        self.reserve = reserve
        self.depth = depth
        self.host_rates = host_rates(machine.host)
        self._rates = {device.index: device_rates(device.gpu) for device in machine.devices}
        self._known: dict[Shape, Found | None] = {}
        self._known_on_gpus: dict[Shape, Found | None] = {}

    def at(self, shape: Shape) -> Found | None:
        """Return the best that the machine can hold in this shape, or None."""
        if shape not in self._known:
            self._known[shape] = self._best(shape)
        return self._known[shape]

    def _best(self, shape: Shape) -> Found | None:
        if whole := self.on_gpus(shape):
            return whole
        if not self.allow.host:
            return None
        devices = self.machine.devices
        if devices:
            split = self._experts_with_host(shape, devices) if self.costs.whole_experts else None
            split = split or self._least(lambda n: self._settled(shape, devices, n), 1, self.costs.layers - 1)
            if split:
                return split
        return self._settled(shape, (), self.costs.layers)

    def on_gpus(self, shape: Shape) -> Found | None:
        """Return the best with every layer on GPUs, or None."""
        if shape not in self._known_on_gpus:
            self._known_on_gpus[shape] = self._on_gpus(shape)
        return self._known_on_gpus[shape]

    def _on_gpus(self, shape: Shape) -> Found | None:
        """Return the layout with everything on GPUs: on the fewest of the largest, or of the fastest if that is faster.

        A further device only adds a hop to each token.
        """
        orders = (
            lambda device: (-device.free_bytes, device.index),
            lambda device: (-self._rates[device.index].read[EXPECTED], device.index),
        )
        ranked = dict.fromkeys(tuple(sorted(self.machine.devices, key=order)) for order in orders)
        least = [found for devices in ranked if (found := self._fewest(shape, devices))]
        return min(least, key=lambda found: (found.seconds, len(found.layout.devices)), default=None)

    def _fewest(self, shape: Shape, ranked: tuple[Device, ...]) -> Found | None:
        """Return the layout on the shortest beginning of a list of devices, put into the machine's order."""
        for number in range(1, len(ranked) + 1):
            devices = tuple(sorted(ranked[:number], key=lambda device: device.index))
            if found := self._settled(shape, devices, 0):
                return found
        return None

    @staticmethod
    def _least(attempt: t.Callable[[int], Found | None], low: int, high: int) -> Found | None:
        """Return the attempt with the least number that is found; more on the host never needs more of the GPUs."""
        best = attempt(high)
        if best is None:
            return None
        while low < high:
            middle = (low + high) // 2
            found = attempt(middle)
            if found:
                best, high = found, middle
            else:
                low = middle + 1
        return best

    def _settled(self, shape: Shape, devices: tuple[Device, ...], host_layers: int) -> Found | None:
        """Return whole layers on GPUs from `host_layers` on; with some layers, the experts of all are with the host."""
        experts = self.costs.hosted_experts(host_layers) if host_layers else ()
        layers = self.costs.on_gpu(shape, host_layers, with_experts=not host_layers)

        def attempt(room: list[int]) -> Layout | None:
            counts = partition(layers, room) if devices else []
            return None if counts is None else Layout(devices, tuple(counts), host_layers, experts)

        return self._fitted(shape, devices, attempt)

    def _experts_with_host(self, shape: Shape, devices: tuple[Device, ...]) -> Found | None:
        """Return all layers on GPUs, with as many routed experts as there is room for.

        Layers differ in type and so in size, and the largest of those with the host is copied through the first GPU for
        large batches: which end of the layers stays with the host decides how much fits.
        """
        rest = self.costs.on_gpu(shape, 0, with_experts=False)

        def from_end(last_first: bool) -> Found | None:
            def attempt(room: list[int]) -> Layout | None:
                answer = filled(rest, self.costs.experts, room, last_first)
                return None if answer is None else Layout(devices, tuple(answer[0]), 0, answer[1])

            return self._fitted(shape, devices, attempt)

        found = [one for last_first in (True, False) if (one := from_end(last_first))]
        return min(found, key=lambda one: one.memory.host.weights_bytes, default=None)

    def _fitted(
        self, shape: Shape, devices: tuple[Device, ...], attempt: t.Callable[[list[int]], Layout | None]
    ) -> Found | None:
        """Look again until what a layout takes, with its own compute buffers, fits on every device; None if it cannot."""
        beside = [0] * len(devices)
        for _look in range(LOOKS):
            room = [self._room(device, 0) - taken for device, taken in zip(devices, beside, strict=True)]
            layout = attempt(room)
            if layout is None:
                return None
            launch = layout.launch(shape, self.costs.whole_experts)
            memory = self.costs.estimate(launch, devices)
            if self._within(devices, memory):
                return self._backed(shape, layout, launch, memory)
            beside = [max(taken, use.compute_bytes) for taken, use in zip(beside, memory.devices, strict=True)]
        return None

    def held(self, shape: Shape, layout: Layout, launch: Launch, share_of_reserve: float) -> Found | None:
        """Return a given layout and launch as found, or None where the machine does not hold it."""
        memory = self.costs.estimate(launch, layout.devices)
        if not self._within(layout.devices, memory, share_of_reserve):
            return None
        return self._backed(shape, layout, launch, memory)

    def _within(self, devices: tuple[Device, ...], memory: MemoryEstimate, share_of_reserve: float = 1.0) -> bool:
        """Whether every device has room for its buffers, with this share of the reserve left."""
        return all(
            use.total_bytes - use.overhead_bytes <= self._room(device, use.overhead_bytes, share_of_reserve)
            for device, use in zip(devices, memory.devices, strict=True)
        )

    def _room(self, device: Device, overhead_bytes: int, share_of_reserve: float = 1.0) -> int:
        """Return the bytes of a device that llama.cpp's own buffers may take: the overhead counts inside the reserve."""
        return device.free_bytes - max(int(self.reserve.vram_bytes_per_gpu * share_of_reserve), overhead_bytes)

    def _backed(self, shape: Shape, layout: Layout, launch: Launch, memory: MemoryEstimate) -> Found | None:
        """Say what holds the part that is with the host: RAM, or the disk as far as it is weights."""
        shared = sum(device.total_bytes for device in memory.devices) if self.machine.shares_memory else 0
        ram = self.machine.ram_bytes - shared
        host = memory.host
        # With every layer on a GPU the host keeps the token embedding, of which a token reads one row.
        on_host = bool(layout.host_layers or layout.experts)
        if host.total_bytes <= ram:
            placement: Placement = "gpu" if not on_host else "gpu+host" if layout.devices else "host"
            ram_for_weights = None
        elif self.allow.disk and host.total_bytes - host.weights_bytes <= ram:
            placement = "disk"
            ram_for_weights = ram - (host.total_bytes - host.weights_bytes)
        else:
            return None
        work = self.costs.workload(shape.cache_type, self.depth).work(layout.counts, layout.host_layers, layout.borders)
        seconds = decode_seconds(work, self.rates(layout), self.host_rates, ram_for_weights)
        return Found(placement, shape, layout, launch, memory, seconds, ram_for_weights)

    def rates(self, layout: Layout) -> list[DeviceRates]:
        """Return the rates of a layout's devices, in their order."""
        return [self._rates[device.index] for device in layout.devices]
