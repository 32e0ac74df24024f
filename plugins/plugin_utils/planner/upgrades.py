# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to add to a machine: the least RAM, or the fewest GPUs like its own, that reach the next goal; and what does not."""

from __future__ import annotations

import typing as t

from ..contract.host import InferenceHost, Storage
from ..contract.plan import PlanEngine, Upgrade
from ..contract.request import FitRequest
from ..units import gib
from .candidate import Candidate, candidate
from .goal import Goal, reached, told
from .machine import Device, Machine, machine

GIB = 1 << 30
# What RAM is added in, in GiB, and the most GPUs that a machine is taken to hold.
RAM_STEPS = (8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
MOST_GPUS = 8
# What NVMe drives on PCIe 5.0 x4 read in one stream.
FAST_DRIVE = 14e9


def upgrades(place: Machine, first: Candidate, goal: Goal, wish: FitRequest, engine: PlanEngine) -> list[Upgrade]:
    """Return the changes of a machine that reach a goal, what they give, and what would not help.

    :param first: what the machine does with the model as it is.
    """

    # What is installed would stay as it is, whatever the machine had more of.
    anew = wish.model_copy(update={"replan": True})

    def on(host: InferenceHost) -> Candidate:
        return candidate(machine(host, wish.reserve, replaces=wish.name), first.costs, anew, engine)

    found = [_more_ram(place, first, goal, wish, on)]
    found += _more_gpus(place, first, goal, wish, on)
    found.append(_faster_disk(place, first, on))
    return [one for one in found if one]


def _more_ram(
    place: Machine, first: Candidate, goal: Goal, wish: FitRequest, on: t.Callable[[InferenceHost], Candidate]
) -> Upgrade | None:
    if place.shares_memory:
        return None
    if goal != "memory":
        return Upgrade(change="more RAM", gives="nothing: GPU memory is what binds", helps=False)
    if not wish.allow.host:
        return Upgrade(change="more RAM", gives="nothing: the host's memory is not allowed", helps=False)
    for step in _ram_steps(first.costs.model_bytes - place.ram_bytes - _room(place, wish)):
        after = on(_with_ram(place.host, step * GIB))
        if reached(goal, after):
            return Upgrade(change=f"+{step:,} GiB RAM", gives=told(after))
    return None


def _ram_steps(missing_bytes: int) -> list[int]:
    """Return the steps worth trying, in GiB: from the first that holds what is missing, three of them."""
    return [step for step in RAM_STEPS if step * GIB >= missing_bytes][:3]


def _more_gpus(
    place: Machine, first: Candidate, goal: Goal, wish: FitRequest, on: t.Callable[[InferenceHost], Candidate]
) -> t.Iterator[Upgrade]:
    if not place.devices or place.shares_memory:
        return
    largest = max(place.devices, key=lambda device: (device.free_bytes, -device.index))
    name = largest.gpu.name or "GPU"
    room = max(0, largest.free_bytes - wish.reserve.vram_bytes_per_gpu)
    numbers = range(1, MOST_GPUS - len(place.devices) + 1)
    # With RAM first, where that is the goal; then without any, where so many GPUs can be had.
    held = place.ram_bytes if goal == "memory" and wish.allow.host else 0
    goals: list[tuple[Goal, int]] = [(goal, held)] if goal != "memory" or not held else [("memory", held), ("gpu", 0)]
    before = 0
    for wanted, ram in goals:
        missing = first.costs.model_bytes - _room(place, wish) - ram
        for number in numbers:
            if number * room < missing or number <= before:
                continue
            after = on(_with_gpus(place.host, largest, number))
            if reached(wanted, after):
                yield Upgrade(change=f"+{number} x {name}", gives=told(after))
                before = MOST_GPUS if after.placement == "gpu" else number
                break
        else:
            if before == 0 and numbers:
                short = missing - numbers[-1] * room
                lacks = f"{gib(short)} GiB still have no room" if short > 0 else "it still does not fit"
                yield Upgrade(change=f"+{numbers[-1]} x {name}", gives=f"not enough: {lacks}", helps=False)
            return


def _faster_disk(place: Machine, first: Candidate, on: t.Callable[[InferenceHost], Candidate]) -> Upgrade | None:
    """Return what the fastest drive would change about weights that are read from disk for each token."""
    if first.placement != "disk":
        return None
    drive = Storage(path="/", free_bytes=place.disk_bytes, read_bytes_per_second=FAST_DRIVE)
    after = on(place.host.model_copy(update={"storage": [drive]}))
    return Upgrade(change=f"a drive of {FAST_DRIVE / 1e9:.0f} GB/s", gives=f"still {told(after)}", helps=False)


def _room(place: Machine, wish: FitRequest) -> int:
    """Return the bytes that the GPUs have for a model, buffers included."""
    return sum(max(0, device.free_bytes - wish.reserve.vram_bytes_per_gpu) for device in place.devices)


def _with_ram(host: InferenceHost, more_bytes: int) -> InferenceHost:
    memory = host.memory
    available = memory.available_bytes
    more = {
        "total_bytes": memory.total_bytes + more_bytes,
        "available_bytes": None if available is None else available + more_bytes,
    }
    return host.model_copy(update={"memory": memory.model_copy(update=more)})


def _with_gpus(host: InferenceHost, like: Device, number: int) -> InferenceHost:
    """Return the host with so many more GPUs like one that it has, with nothing else on them."""
    new = like.gpu.model_copy(
        update={"uuid": None, "pci_bus_id": None, "processes": [], "memory_free_bytes": like.free_bytes}
    )
    return host.model_copy(update={"gpus": [*host.gpus, *[new] * number]})
