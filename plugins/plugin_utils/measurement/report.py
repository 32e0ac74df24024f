# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Benchmarks of hosts and days side by side: kept as data, told as a table, drawn as a picture."""

from __future__ import annotations

import json
import typing as t

from ..contract.base import SCHEMA_VERSION, Contract, ContractError
from ..contract.measured import MeasuredRun
from ..render.benchmark_picture import Group, Line, picture
from ..units import figure
from .compare import name, shown

HEADINGS = ("", "host", "model", "quant", "runs on", "build", "measured", "what", "planned", "band", "is", "of plan")
RIGHT = {8, 9, 10, 11}


class ToldFigure(Contract):
    """A figure as `compare.Figure` has it."""

    what: str
    where: str
    unit: t.Literal["bytes", "tokens_per_second"]
    low: float
    planned: float
    high: float
    measured: float
    deviation: float | None = None
    differs: bool


class Entry(Contract):
    """One benchmark: where it was, of what, and how its figures compare."""

    host: str
    name: str
    placement: str
    run: MeasuredRun
    figures: list[ToldFigure]
    advice: list[str] = []


class Results(Contract):
    """All benchmarks that are kept, in the order they were made."""

    schema_version: t.Literal[1] = SCHEMA_VERSION
    entries: list[Entry] = []


def report(new: t.Any, earlier: str = "") -> dict[str, t.Any]:
    """Return `{results, table, picture}`: the text to keep, lines, and an SVG.

    :param new: entries, see `Entry`. One of the same host, name, launch and time as an earlier one takes its place.
    :param earlier: the text that was kept before, empty for none.
    :raises ContractError: for what has another form.
    """
    if not isinstance(new, list):
        raise ContractError("entries: give a list of benchmarks")
    added = [Entry.read(entry, f"entries[{index}]") for index, entry in enumerate(new)]
    kept = {_key(entry): entry for entry in (*_earlier(earlier), *added)}
    entries = sorted(kept.values(), key=lambda entry: (entry.name, entry.host, entry.run.measured_at))
    results = Results(entries=entries)
    return {
        "results": json.dumps(results.plain(), indent=1) + "\n",
        "table": table(entries),
        "picture": picture("Planned and measured", [_group(entry) for entry in entries]),
    }


def table(entries: t.Sequence[Entry]) -> list[str]:
    """Return a line for each figure; one outside of its band begins with an exclamation mark. Memory is in GiB."""
    rows = [HEADINGS, *(row for entry in entries for row in _rows(entry))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place in RIGHT else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    advice = [f"{entry.host}, {entry.name}: {sentence}" for entry in entries for sentence in entry.advice]
    return [*lines, *([""] if advice else []), *advice]


def _rows(entry: Entry) -> t.Iterator[tuple[str, ...]]:
    run = entry.run
    for number, each in enumerate(entry.figures):
        about = (
            entry.host,
            run.model.id or "",
            run.model.quant or "",
            entry.placement,
            f"b{run.engine.build}",
            run.measured_at[:16].replace("T", " "),
        )
        yield (
            "!" if each.differs else " ",
            *(about if number == 0 else ("",) * len(about)),
            name(each),
            shown(each.planned, each.unit),
            f"{shown(each.low, each.unit)} to {shown(each.high, each.unit)}",
            shown(each.measured, each.unit),
            f"{each.measured / each.planned:.0%}" if each.planned else "-",
        )


def _group(entry: Entry) -> Group:
    run = entry.run
    title = (
        f"{entry.host} · {run.model.id} {run.model.quant} on {entry.placement} · build {run.engine.build}"
        f" · {run.measured_at[:16].replace('T', ' ')}"
    )
    return Group(title, [_line(each) for each in entry.figures if each.planned and each.measured])


def _line(each: ToldFigure) -> Line:
    unit = "GiB" if each.unit == "bytes" else "tokens/s"
    low, high, is_now = (shown(value, each.unit) for value in (each.low, each.high, each.measured))
    spread = f" ± {figure(each.deviation)}" if each.deviation else ""
    return Line(
        name(each),
        each.low / each.planned,
        each.high / each.planned,
        each.measured / each.planned,
        each.differs,
        f"{is_now}{spread} {unit}, planned {low} to {high}",
    )


def _key(entry: Entry) -> tuple[str, ...]:
    return entry.host, entry.name, entry.run.measured_at, json.dumps(entry.run.launch.plain(), sort_keys=True)


def _earlier(text: str) -> list[Entry]:
    if not text.strip():
        return []
    try:
        value = json.loads(text)
    except ValueError:
        raise ContractError("earlier: this is no JSON; move the file of results away, a new one is begun") from None
    return Results.read(value, "earlier").entries
