# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of a fleet as lines of text that a person reads at a glance."""

from __future__ import annotations

import itertools
import typing as t

from ..contract.host import InferenceHost
from ..contract.plan import Band, Plan
from ..units import figure, gib

if t.TYPE_CHECKING:
    from ..planner.fleet import Fleet

HEADINGS = ("", "model", "quant", "GiB", "runs on", "context", "GPU GiB", "RAM GiB", "tokens/s", "what binds")
RIGHT = {3, 5, 6, 7, 8}

# As many hosts of a kind are named; of more, the first.
NAMED = 4


def table(hosts: dict[str, InferenceHost], fleet: Fleet, missing: t.Sequence[str] = ()) -> list[str]:
    """Return the lines: for each kind of host one that describes it, then one for each model. Sizes are GiB.

    At the end stand the problems that hosts told of themselves, and hosts that nothing is known of.
    """
    kinds: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for name, plans in fleet.hosts.items():
        if not plans:
            continue
        kinds.setdefault((describe(hosts[name]), tuple(plans.values())), []).append(name)
    rows = {kind: [_row(fleet.plans[index]) for index in kind[1]] for kind in kinds}
    widths = [
        max(map(len, column)) for column in zip(HEADINGS, *itertools.chain.from_iterable(rows.values()), strict=True)
    ]
    lines = [_line(HEADINGS, widths)]
    for kind, names in kinds.items():
        lines += ["", f"{_named(names)}: {kind[0]}"]
        lines += [_line(row, widths) for row in rows[kind]]
    return lines + _problems(hosts, fleet.refused, missing)


def _problems(hosts: dict[str, InferenceHost], refused: dict[str, str], missing: t.Sequence[str]) -> list[str]:
    told: dict[str, list[str]] = {}
    for name, host in hosts.items():
        for problem in host.problems:
            told.setdefault(problem, []).append(name)
    for name, reason in refused.items():
        told.setdefault(reason, []).append(name)
    if missing:
        told["nothing is known: it did not answer, or gpu_facts did not run on it"] = list(missing)
    return [*([""] if told else []), *(f"{_named(names)}: {problem}" for problem, names in told.items())]


def _named(names: list[str]) -> str:
    """Return names in words: all of a few, of many the first and how many more."""
    return ", ".join(names) if len(names) <= NAMED else f"{names[0]} and {len(names) - 1:,} more"


def describe(host: InferenceHost) -> str:
    """Return a machine in words: its GPUs by name and number, and its RAM."""
    counted: dict[str, int] = {}
    for gpu in host.gpus:
        counted[gpu.name or "GPU"] = counted.get(gpu.name or "GPU", 0) + 1
    gpus = " + ".join(f"{number} x {name}" if number > 1 else name for name, number in counted.items()) or "no GPU"
    return f"{gpus}, {gib(host.memory.total_bytes, 0)} GiB RAM"


def _row(plan: Plan) -> tuple[str, ...]:
    used = sum(device.total_bytes for device in plan.memory.devices) if plan.memory else 0
    return (
        " " if plan.fits else "!",
        plan.model.id,
        plan.quant.name,
        gib(plan.model.bytes),
        plan.placement,
        f"{plan.memory.n_ctx_seq:,}" if plan.memory else "-",
        gib(used) if used else "-",
        gib(plan.memory.host.total_bytes) if plan.memory else "-",
        rate(plan.speed.decode_tokens_per_second) if plan.speed else "-",
        plan.limit,
    )


def rate(band: Band) -> str:
    """Return a band of tokens per second as people read it: the ends, with two digits."""
    return f"{figure(band.low)} to {figure(band.high)}"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if i in RIGHT else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
