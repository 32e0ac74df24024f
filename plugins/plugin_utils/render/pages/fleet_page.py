# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of a fleet: each host with what is planned and measured there, problems first, and a page for each plan."""

from __future__ import annotations

import typing as t

from ...contract.base import Contract
from ...contract.host import Gpu, InferenceHost
from ...contract.measured import MeasuredRun
from ...contract.plan import Plan
from ...measurement.counted import counted
from ...units import figure, gib
from ..combinations import Hardware
from ..table import describe
from . import words
from .planned import Planned

# A page is full with so many characters of text; with its markup that is less than 200 KB.
CHARACTERS = 80_000
FIRST = "fleet.html"


class FleetPlans(Contract):
    """What fleet_fit returns: the different plans, and for each host the index of its plan by the model's name."""

    plans: list[Plan]
    hosts: dict[str, dict[str, int]]
    missing: list[str] = []


class Served(t.NamedTuple):
    """One model on one host: its plan, and what was measured of it."""

    name: str
    sign: words.Sign
    path: str
    quant: str
    context: str
    planned: str
    measured: str
    runs: bool | None


class Row(t.NamedTuple):
    """One host."""

    name: str
    machine: str
    gpus: list[str]
    driver: str
    gathered: str
    problems: list[str]
    served: list[Served]


def files(
    fleet: FleetPlans, facts: dict[str, InferenceHost]
) -> tuple[list[tuple[str, dict[str, t.Any]]], list[Planned]]:
    """Return `(path, what the template reads)` of the pages of the fleet, and the combinations that have a page of their own.

    :param facts: what is known of each host; one without facts is among `missing`.
    """
    plans = _plans(fleet, facts)
    rows = [_row(name, facts.get(name), fleet, plans) for name in sorted({*fleet.hosts, *fleet.missing, *facts})]
    rows.sort(key=lambda row: (not row.problems, row.name))
    batches = _batches(rows)
    paths = [FIRST, *(f"fleet-{number}.html" for number in range(2, len(batches) + 1))]
    names = [f"{batch[0].name} to {batch[-1].name}" if batch else "no host" for batch in batches]
    wrong = sum(bool(row.problems) for row in rows)
    views = [
        (
            path,
            {
                "title": "Fleet",
                "hosts": len(rows),
                "wrong": wrong,
                "rows": batch,
                "parts": list(zip(paths, names, strict=True)) if len(paths) > 1 else [],
                "path_here": path,
            },
        )
        for path, batch in zip(paths, batches, strict=True)
    ]
    return views, list(plans.values())


def _batches(rows: list[Row]) -> list[list[Row]]:
    """Return the rows of each page."""
    batches: list[list[Row]] = [[]]
    characters = 0
    for row in rows:
        length = len(str(row))
        if batches[-1] and characters + length > CHARACTERS:
            batches.append([])
            characters = 0
        batches[-1].append(row)
        characters += length
    return batches


def _plans(fleet: FleetPlans, facts: dict[str, InferenceHost]) -> dict[int, Planned]:
    """Return the plans that hosts have, each with the first host that it is for."""
    found: dict[int, Planned] = {}
    for host, indices in fleet.hosts.items():
        for name, index in indices.items():
            if index in found or host not in facts:
                continue
            plan = fleet.plans[index]
            machine = Hardware(str(index), describe(facts[host]), facts[host], None)
            path = f"fleet/plan-{index}"
            bare = Planned(plan.model.id, name, plan.quant.name, machine, f"{path}.html", f"{path}.yaml")
            found[index] = bare.with_plan(plan, name)
    return found


def _row(name: str, host: InferenceHost | None, fleet: FleetPlans, plans: dict[int, Planned]) -> Row:
    if host is None:
        return Row(name, "nothing is known of it", [], "", "", ["no facts: it did not answer, or prositronic.infra.gpu_facts did not run on it"], [])
    served = []
    problems = list(host.problems)
    for wish, index in fleet.hosts.get(name, {}).items():
        plan = fleet.plans[index]
        run = _measured(host, plan)
        served.append(_served(wish, plan, plans[index].path, host, run))
        problems += _wrong(wish, plan, run)
    driver = host.driver.version if host.driver and host.driver.version else ""
    return Row(name, describe(host), [_gpu(gpu) for gpu in host.gpus], driver, host.gathered_at or "", problems, served)


def _gpu(gpu: Gpu) -> str:
    free = words.size(gpu.memory_free_bytes) if gpu.memory_free_bytes is not None else "unknown"
    total = words.size(gpu.memory_total_bytes) if gpu.memory_total_bytes is not None else "unknown"
    return f"GPU{gpu.index} {gpu.name or 'unnamed'}: {free} of {total} free"


def _measured(host: InferenceHost, plan: Plan) -> MeasuredRun | None:
    runs = counted(
        host.measured,
        engine=plan.engine.version,
        parameters=plan.model.parameters,
        tensor_bytes=plan.model.bytes,
        model_id=plan.model.id,
        quant=plan.quant.name,
    )
    return next((run for run in runs if run.plan_id == plan.plan_id), None)


def _served(wish: str, plan: Plan, path: str, host: InferenceHost, run: MeasuredRun | None) -> Served:
    speed = plan.speed
    planned = []
    if speed:
        planned.append(f"{words.tokens_per_second(speed.decode_tokens_per_second)} tokens/s")
    if plan.memory:
        used = sum(device.total_bytes for device in plan.memory.devices)
        planned += [f"{gib(used)} GiB on GPUs"] if used else []
        where = "in RAM and on disk" if plan.placement == "disk" else "in RAM"
        planned.append(f"{gib(plan.memory.host.total_bytes)} GiB {where}")
    instance = next((one for one in host.instances if one.name == wish), None)
    return Served(
        wish,
        words.SIGNS[plan.placement],
        path,
        f"{plan.model.name} {plan.quant.name}",
        f"{plan.memory.n_ctx_seq:,}" if plan.memory else "-",
        ", ".join(planned) or plan.limit,
        _seen(run),
        instance.active if instance else None,
    )


def _seen(run: MeasuredRun | None) -> str:
    if run is None:
        return "nothing yet"
    told = []
    rate = _decode(run)
    if rate:
        told.append(f"{figure(rate)} tokens/s")
    held = [device.held_bytes for device in run.devices if device.held_bytes is not None]
    if held:
        told.append(f"{gib(sum(held))} GiB on GPUs")
    if run.host.held_bytes is not None:
        told.append(f"{gib(run.host.held_bytes)} GiB in RAM")
    return f"{', '.join(told) or 'started'} ({run.measured_at[:10]})"


def _decode(run: MeasuredRun) -> float | None:
    return next((rate.decode_tokens_per_second for rate in run.rates if rate.decode_tokens_per_second), None)


def _wrong(wish: str, plan: Plan, run: MeasuredRun | None) -> t.Iterator[str]:
    """Yield what is wrong with a plan: it does not run from memory, leaves a GPU out, or is slower than it should be."""
    if not plan.fits:
        yield f"{wish}: {plan.limit}"
    yield from (f"{wish}: {warning}" for warning in plan.warnings if "left out" in warning)
    rate = _decode(run) if run else None
    if rate and plan.speed and rate < plan.speed.decode_tokens_per_second.low:
        yield f"{wish}: {figure(rate)} tokens/s were measured, {figure(plan.speed.decode_tokens_per_second.low)} is the least expected"
