# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The best layout at a given context, proven by the memory model.

A sketch is proven by an estimate of its launch. One that does not hold teaches what its buffers need, and the next sketch
knows: estimates cost milliseconds, sketches a fraction of one.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..contract.launch import Launch
from ..contract.memory import MemoryEstimate
from ..contract.request import Allow, Reserve
from ..memory.beside import most_bytes
from .costs import Costs
from .layout import Layout, Shape
from .machine import Machine
from .sketch import Sketch, Sketches

# So many estimates at most for one shape: each number of GPUs may need two.
LOOKS = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Found(Sketch):
    """A layout that the machine does hold, with its launch and what that takes."""

    launch: Launch
    memory: MemoryEstimate

    @property
    def ram_bytes_at_most(self) -> int:
        """Return the RAM that it holds once all that is beside the model has grown."""
        return most_bytes(self.memory.lines, self.memory.host)

    @property
    def vram_bytes_at_most(self) -> int:
        """Return what all its GPUs hold then."""
        return sum(most_bytes(self.memory.lines, use) for use in self.memory.devices)


class Search:
    """The layouts of one model on one machine; results are kept, since the search for a context asks again and again."""

    def __init__(self, machine: Machine, costs: Costs, allow: Allow, reserve: Reserve, depth: int) -> None:
        self.machine = machine
        self.costs = costs
        self.depth = depth
        self.sketches = Sketches(machine, costs, allow, reserve, depth)
        self._known: dict[Shape, Found | None] = {}
        self._known_on_gpus: dict[Shape, Found | None] = {}

    def at(self, shape: Shape) -> Found | None:
        """Return the best that the machine can hold in this shape, or None."""
        if shape not in self._known:
            tried: set[t.Hashable] = set()
            found = self._proven(lambda: self.sketches.best(shape), tried)
            if found and found.layout.experts:
                found = self._proven(lambda: self.sketches.hopeful(shape), tried, found)
            self._known[shape] = found
        return self._known[shape]

    def on_gpus(self, shape: Shape) -> Found | None:
        """Return the best with every layer on GPUs, or None."""
        if shape not in self._known_on_gpus:
            self._known_on_gpus[shape] = self._proven(lambda: self.sketches.on_gpus(shape), set())
        return self._known_on_gpus[shape]

    def _proven(
        self, look: t.Callable[[], Sketch | None], tried: set[t.Hashable], best: Found | None = None
    ) -> Found | None:
        """Look again until what a sketch takes is what it was taken to need, and nothing better is in sight.

        What is learned first is of layouts that did not hold. One that holds may need less than those: then a better one is
        tried, as far as it was not before.
        """
        for _look in range(LOOKS):
            sketch = look()
            if sketch is None or (best and self._order(sketch) >= self._order(best)):
                return best
            if (sketch.way, sketch.layout) in tried:
                return best
            tried.add((sketch.way, sketch.layout))
            if found := self._proof(sketch):
                best = found
        return best

    def _order(self, sketch: Sketch) -> tuple[int, int, float]:
        return sketch.rank, self.costs.on_host(sketch.shape, sketch.layout)[0], sketch.seconds

    def _proof(self, sketch: Sketch) -> Found | None:
        """Return a sketch with its memory, if that fits and is where the sketch has it; learn its buffers."""
        layout, shape = sketch.layout, sketch.shape
        launch = layout.launch(shape, self.costs.whole_experts)
        memory = self._estimate(layout, launch)
        found = self._backed(sketch, launch, memory) if self._within(layout, memory) else None
        if found and found.placement != sketch.placement:
            found = None
        self._learn(sketch, memory, holds=found is not None)
        return found

    def _learn(self, sketch: Sketch, memory: MemoryEstimate, holds: bool) -> None:
        layout, shape = sketch.layout, sketch.shape
        own = self.costs.on_devices(shape, layout)
        beside = dict.fromkeys((device.index for device in sketch.devices), 0)
        for device, use, known in zip(layout.devices, memory.devices, own, strict=True):
            beside[device.index] = most_bytes(memory.lines, use) - use.overhead_bytes - known
        host, (weights, cache) = memory.host, self.costs.on_host(shape, layout)
        sizes = (
            *beside.values(),
            host.weights_bytes - weights,
            most_bytes(memory.lines, host) - host.weights_bytes - cache,
        )
        self.sketches.buffers.learn(sketch.kind, shape.context, sizes, anew=holds)

    def held(self, shape: Shape, layout: Layout, launch: Launch) -> Found | None:
        """Return a layout and launch that run already as found, or None where the machine does not hold them."""
        memory = self._estimate(layout, launch)
        if not self._within(layout, memory, runs=True):
            return None
        sketch = Sketch("whole", layout.devices, "none", shape, layout, 0.0, None)
        return self._backed(sketch, launch, memory)

    def _estimate(self, layout: Layout, launch: Launch) -> MemoryEstimate:
        return self.sketches.observed.applied(self.costs.estimate(launch, layout.devices), layout.devices)

    def _within(self, layout: Layout, memory: MemoryEstimate, runs: bool = False) -> bool:
        """Whether every device has room for its buffers, also for what they grow to."""
        return all(
            most_bytes(memory.lines, use) - use.overhead_bytes <= self.sketches.room(device, runs)
            for device, use in zip(layout.devices, memory.devices, strict=True)
        )

    def _backed(self, sketch: Sketch, launch: Launch, memory: MemoryEstimate) -> Found | None:
        host = memory.host
        shared = sum(most_bytes(memory.lines, use) for use in memory.devices) if self.machine.shares_memory else 0
        other = most_bytes(memory.lines, host) - host.weights_bytes
        exact = self.sketches.backed(
            sketch.way, sketch.devices, sketch.shape, sketch.layout, host.weights_bytes, other, shared
        )
        if exact is None:
            return None
        return Found(
            **{field.name: getattr(exact, field.name) for field in dataclasses.fields(Sketch)},
            launch=launch,
            memory=memory,
        )
