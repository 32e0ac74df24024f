# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several models on one host: GPUs and RAM shared out, no GPU to two of them.

GPUs stay in their order, and each model has GPUs that are next to each other (so those behind one PCIe switch or of one
NUMA node are together) or none. Of all ways to share them out so, the best standing of all models together counts, as far
as the RAM is enough for all. A model whose plan was installed and still fits keeps its GPUs.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..contract.base import ContractError
from ..contract.host import InferenceHost
from ..contract.plan import Plan
from ..contract.request import ModelWish
from ..memory.beside import most_bytes
from .candidate import Candidate
from .fit import Question, choose
from .kept import installed, installed_on
from .machine import Device, Machine, machine
from .preference import Standing

# So many models of different kinds: every order of them along the GPUs is looked at.
MOST_KINDS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """What a model has of a machine: these GPUs, and RAM of which it needs so much."""

    devices: tuple[Device, ...]
    candidate: Candidate
    standing: Standing

    @property
    def ram_bytes(self) -> int:
        """Return the RAM that it cannot do without: pages of weights that are read from disk can be dropped."""
        found = self.candidate.found
        if found is None:
            return 0
        shared = found.vram_bytes_at_most if self.candidate.search.machine.shares_memory else 0
        weights = found.memory.host.weights_bytes if found.placement == "disk" else 0
        return shared + found.ram_bytes_at_most - weights


def share_out(host: InferenceHost, wishes: t.Sequence[ModelWish]) -> list[Plan]:
    """Return a plan for each wish, in their order, that can all run at once; what has no place has a plan that says so.

    RAM is what the first need; what is left goes to the longer contexts of each in turn.

    :raises ContractError: more different models than are shared out.
    """
    kinds = {wish.kind for wish in wishes}
    if len(kinds) > MOST_KINDS:
        raise ContractError(f"models: {len(kinds)} different ones on one host; at most {MOST_KINDS} are shared out")
    names = [wish.name for wish in wishes]
    places = [machine(host, wish.reserve, replaces=names) for wish in wishes]
    ram = min(place.ram_bytes for place in places)
    shares = _Sharing(places, wishes, ram).shares()
    held = []
    for share in shares:
        held.append(share.ram_bytes if share.ram_bytes <= ram else 0)
        ram -= held[-1]
    plans = []
    for place, wish, share, own in zip(places, wishes, shares, held, strict=True):
        plan = choose(place.part(share.devices, ram + own), wish.model_copy(update={"advice": "never"}))
        plans.append(plan)
        ram = max(0, ram + own - _ram(place, plan))
    return plans


def _ram(place: Machine, plan: Plan) -> int:
    if plan.memory is None:
        return 0
    lines, host = plan.memory.lines, plan.memory.host
    shared = sum(most_bytes(lines, device) for device in plan.memory.devices) if place.shares_memory else 0
    return shared + most_bytes(lines, host) - (host.weights_bytes if plan.placement == "disk" else 0)


# What stands for some models placed: the sum of their standings, the RAM they take, and the run of each.
Placed = tuple[tuple[float, ...], int, tuple[tuple[int, tuple[int, int]], ...]]
NOTHING: Placed = ((0.0,) * len(Standing._fields), 0, ())


class _Sharing:
    """Runs of GPUs for models. A run is the positions from `start` to before `end` in the machine's devices."""

    def __init__(self, places: t.Sequence[Machine], wishes: t.Sequence[ModelWish], ram_bytes: int) -> None:
        self.places = places
        self.wishes = wishes
        self.ram_bytes = ram_bytes
        self.devices = places[0].devices
        self._known: dict[t.Hashable, Share] = {}

    def shares(self) -> list[Share]:
        """Return the share of each model."""
        shares = self._kept()
        taken = {device.index for share in shares.values() for device in share.devices}
        ram = self.ram_bytes - sum(share.ram_bytes for share in shares.values())
        todo = [number for number in range(len(self.wishes)) if number not in shares]
        best = self._best(todo, taken, ram)
        return [shares.get(number) or self._share(number, *best[number]) for number in range(len(self.wishes))]

    def _kept(self) -> dict[int, Share]:
        """Return the shares of models whose installed plan still holds, none with a GPU of another."""
        shares: dict[int, Share] = {}
        taken: set[int] = set()
        for number, (place, wish) in enumerate(zip(self.places, self.wishes, strict=True)):
            found = installed_on(place, wish)
            if found is None or taken & {device.index for device in found[1]}:
                continue
            instance, devices = found
            share = self._shared(number, devices)
            if share.candidate.plan_id == instance.plan_id:
                shares[number] = share
                taken |= {device.index for device in devices}
        return shares

    def _best(self, todo: list[int], taken: set[int], ram: int) -> dict[int, tuple[int, int]]:
        """Return the run of each model by going along the GPUs, with what was placed before each of them."""
        states: dict[State, list[Placed]] = {(0, frozenset()): [NOTHING]}
        end = len(self.devices)
        for start in range(end):
            here = [(done, placed) for (at, done), placed in states.items() if at == start]
            for done, placed in here:
                _keep(states, (start + 1, done), placed)
                for number in self._next(todo, done):
                    for stop in self._stops(start, taken):
                        added = [self._with(one, number, (start, stop)) for one in placed]
                        _keep(states, (stop, done | {number}), [one for one in added if one[1] <= ram])
        finished = []
        for (at, done), placed in states.items():
            if at != end:
                continue
            for one in placed:
                for number in todo:
                    if number not in done:
                        one = self._with(one, number, (0, 0))
                # What RAM is not enough for comes last, but there is always an answer.
                finished.append((max(0, one[1] - ram), one))
        return dict(min(finished)[1][2])

    def _next(self, todo: list[int], done: frozenset[int]) -> list[int]:
        """Return the models that may come next: of those that are alike, the first."""
        first: dict[t.Hashable, int] = {}
        for number in todo:
            if number not in done:
                first.setdefault(self.wishes[number].kind, number)
        return list(first.values())

    def _stops(self, start: int, taken: set[int]) -> t.Iterator[int]:
        """Yield where runs from a GPU on can end: before one that is taken, and one slice of a card alone."""
        for stop in range(start, len(self.devices)):
            device = self.devices[stop]
            if device.index in taken or (device.gpu.mig and stop > start):
                return
            yield stop + 1
            if device.gpu.mig:
                return

    def _with(self, placed: Placed, number: int, run: tuple[int, int]) -> Placed:
        share = self._share(number, *run)
        standing = tuple(a + b for a, b in zip(placed[0], _in_company(share.standing), strict=True))
        return standing, placed[1] + share.ram_bytes, (*placed[2], (number, run))

    def _share(self, number: int, start: int, stop: int) -> Share:
        return self._shared(number, self.devices[start:stop])

    def _shared(self, number: int, devices: tuple[Device, ...]) -> Share:
        """Return what a model does with these GPUs; GPUs that are alike, and models, are looked at once."""
        place, wish = self.places[number], self.wishes[number]
        key = wish.kind, tuple(device.likeness for device in devices), wish.name if installed(place, wish) else None
        if key not in self._known:
            best = Question(place.part(devices, place.ram_bytes), wish).ranking().best[0]
            self._known[key] = Share(devices, best.candidate, best.standing)
        return dataclasses.replace(self._known[key], devices=devices)


State = tuple[int, frozenset[int]]


def _in_company(standing: Standing) -> tuple[float, ...]:
    """Return a standing with the placement before what is short of the wish, as one model alone is placed.

    Else a GPU that cannot give the whole context would be given to none.
    """
    return (standing.unfit, standing.place, standing.short, *standing[3:])


def _keep(states: dict[State, list[Placed]], state: State, new: list[Placed]) -> None:
    """Add to what leads to a state, without what stands no better and takes no less RAM."""
    kept: list[Placed] = []
    for one in sorted([*states.get(state, []), *new]):
        if not kept or one[1] < kept[-1][1]:
            kept.append(one)
    states[state] = kept
