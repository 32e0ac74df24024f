# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan against the engine: every buffer of every device, both ways of counting side by side, and what is free now.

llama-fit-params reserves a row of logits for each token of a micro-batch where the server reserves one for each slot. The
plan is therefore counted at that program's rows: what the plan says, plus what the same file takes at its rows, less what
it takes at the server's.
"""

from __future__ import annotations

import typing as t

from ..contract.host import Gpu, InferenceHost
from ..contract.launch import Launch
from ..contract.memory import DeviceUse, HostUse
from ..contract.plan import Plan, PlanDevice
from ..contract.request import Reserve
from ..memory.beside import most_bytes
from ..memory.estimate import estimate
from ..model.model import Model
from ..planner.machine import machine
from ..units import gib
from .question import as_counted

MIB = 1 << 20
HOST = "Host"

# The part of what a device holds that a buffer may differ by.
TOLERANCE = 0.01

Buffers = tuple[int, int, int]
COLUMNS = ("model", "context", "compute")


class Row(t.NamedTuple):
    """A device as planned and as the engine tells it: bytes of model, context and compute buffers."""

    device: str
    planned: Buffers
    told: Buffers

    @property
    def differing(self) -> list[int]:
        """Return the places of the buffers that differ; the engine's figures are rounded down to MiB."""
        allowed = TOLERANCE * sum(self.planned)
        return [
            place
            for place, (planned, told) in enumerate(zip(self.planned, self.told, strict=True))
            if not told - allowed <= planned < told + MIB + allowed
        ]


def rows(plan: Plan, model: Model, told: t.Sequence[t.Mapping[str, t.Any]]) -> list[Row]:
    """Return a row for each device that either of the two uses, the host last.

    :param model: the file that would be served, `told` what llama-fit-params says of it.
    """
    planned = _at_its_rows(plan, model)
    engine = {str(row["device"]): (row["weights_bytes"], row["kv_bytes"], row["compute_bytes"]) for row in told}
    nothing: Buffers = (0, 0, 0)
    found = [Row(name, planned.get(name, nothing), engine.get(name, nothing)) for name in {**planned, **engine}]
    return sorted((row for row in found if any(row.planned + row.told)), key=lambda row: row.device == HOST)


def differences(compared: t.Sequence[Row]) -> list[str]:
    """Return a sentence for each buffer that differs."""
    return [
        f"{row.device}: the {COLUMNS[place]} takes {row.planned[place] // MIB:,} MiB by the plan"
        f" and {row.told[place] // MIB:,} MiB by llama.cpp"
        for row in compared
        for place in row.differing
    ]


def shortages(plan: Plan, gpus: t.Sequence[Gpu], now: InferenceHost, name: str | None) -> list[str]:
    """Return a sentence for each memory that is less free than the plan takes.

    :param gpus: the cards of the plan's devices; one that `now` does not show is not judged.
    :param now: the host as it is; what its instance `name` holds counts as free.
    """
    if plan.memory is None:
        return []
    place = machine(now, Reserve(vram_bytes_per_gpu=0, ram_bytes=0), replaces=name or "")
    free = {device.gpu.uuid: device.free_bytes for device in place.devices if device.gpu.uuid}
    needs = [
        (device.device, most_bytes(plan.memory.lines, device), free[gpu.uuid])
        for device, gpu in zip(plan.memory.devices, gpus, strict=True)
        if gpu.uuid in free
    ]
    if plan.fits:
        needs.append(("RAM", most_bytes(plan.memory.lines, plan.memory.host), place.ram_bytes))
    return [
        f"{what} has {gib(left, 2)} GiB free, what the instance itself holds included, and the plan takes {gib(size, 2)} GiB"
        for what, size, left in needs
        if size > left
    ]


def lines(compared: t.Sequence[Row]) -> list[str]:
    """Return both countings side by side, in MiB rounded down; a line with a difference ends with what differs."""
    head = ["MiB".ljust(10), *(f"{column:>9}" for column in COLUMNS)]
    told = [f"{column:>9}" for column in COLUMNS]
    text = [
        " " * 10 + "plan".rjust(27) + "   " + "llama-fit-params".rjust(27),
        "".join(head) + "   " + "".join(told),
    ]
    for row in compared:
        figures = ["".join(f"{size // MIB:>9,}" for size in side) for side in (row.planned, row.told)]
        marks = ", ".join(COLUMNS[place] for place in row.differing)
        text.append(f"{row.device:<10}{figures[0]}   {figures[1]}" + (f"   {marks} differs" if marks else ""))
    return text


def _at_its_rows(plan: Plan, model: Model) -> dict[str, Buffers]:
    """Return what the plan says of each device, at the rows of logits that llama-fit-params reserves."""
    if plan.memory is None or plan.launch is None:
        return {}
    gpus = [Gpu(memory_free_bytes=device.free_bytes) for device in plan.memory.devices]
    counted = as_counted(plan.launch)
    served = _estimate(model, plan.launch, gpus, plan.engine.version)
    asked = _estimate(model, counted, gpus, plan.engine.version, plan.memory.n_ubatch)
    devices: list[tuple[str, PlanDevice | HostUse]] = [(device.device, device) for device in plan.memory.devices]
    devices.append((HOST, plan.memory.host))
    return {
        name: _sum(_buffers(use), after, before)
        for (name, use), after, before in zip(devices, asked, served, strict=True)
    }


def _estimate(
    model: Model, launch: Launch, gpus: t.Sequence[Gpu], engine: str, n_outputs: int | None = None
) -> list[Buffers]:
    answer = estimate(model, launch, gpus, engine, n_outputs)
    return [*map(_buffers, answer.devices), _buffers(answer.host)]


def _buffers(use: DeviceUse | HostUse) -> Buffers:
    return use.weights_bytes, use.kv_bytes, use.compute_bytes


def _sum(planned: Buffers, after: Buffers, before: Buffers) -> Buffers:
    model, context, compute = (p + a - b for p, a, b in zip(planned, after, before, strict=True))
    return model, context, compute
