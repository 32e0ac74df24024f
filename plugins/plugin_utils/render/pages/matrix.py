# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a model: machines x quants, each cell a sign, a figure and a link."""

from __future__ import annotations

import typing as t

from ...catalog import access as catalog
from ...units import figure, gib
from ..table import describe
from . import words
from .plan_page import about, free_vram
from .planned import Planned

# More cells than these would make a page too heavy for a phone: the quants then go to several pages.
CELLS = 1200

_ORDER = ("none", "disk", "host", "gpu+host", "gpu")


class Cell(t.NamedTuple):
    """One combination. `order` sorts by placement, then by speed; without a page `path` is None."""

    sign: words.Sign
    text: str
    told: str
    path: str | None
    order: float


class Row(t.NamedTuple):
    """One machine."""

    name: str
    what: str
    gpu: str
    gpu_bytes: int
    ram: str
    ram_bytes: int
    cells: list[Cell]


def views(of_model: t.Sequence[Planned]) -> list[tuple[str, dict[str, t.Any]]]:
    """Return `(path, what the template reads)` of each page of a model: one, or several where there are many quants.

    :param of_model: all combinations of one model.
    """
    first = of_model[0]
    entry = catalog.model(first.model)
    quants = list(dict.fromkeys(one.quant for one in of_model))
    machines = list(dict.fromkeys(one.machine.slug for one in of_model))
    known = {(one.machine.slug, one.quant): one for one in of_model}
    # By size, where it is known
    quants.sort(key=lambda quant: (_bytes(known, machines, quant) or 0, quant))
    # As few pages as hold them, all of the same width
    pages = -(-len(quants) // max(1, CELLS // len(machines)))
    width = -(-len(quants) // pages)
    parts = [quants[start : start + width] for start in range(0, len(quants), width)]
    paths = [f"{first.slug}/index{f'-{number}' if number > 1 else ''}.html" for number in range(1, len(parts) + 1)]
    names = [f"{part[0]} to {part[-1]}" if len(part) > 1 else part[0] for part in parts]
    return [
        (
            path,
            {
                "title": f"{entry['name']}: which machine runs it",
                "model_name": entry["name"],
                "about": about(entry),
                "quants": [(quant, _size(_bytes(known, machines, quant))) for quant in part],
                "rows": [_row(machine, [known[machine, quant] for quant in part]) for machine in machines],
                "signs": [*words.SIGNS.values(), words.UNPLANNED],
                "parts": list(zip(paths, names, strict=True)) if len(parts) > 1 else [],
                "path_here": path,
            },
        )
        for path, part in zip(paths, parts, strict=True)
    ]


def _bytes(known: dict[tuple[str, str], Planned], machines: list[str], quant: str) -> int | None:
    plans = (known[machine, quant].plan for machine in machines)
    return next((plan.model.bytes for plan in plans if plan), None)


def _size(size: int | None) -> str:
    return f"{gib(size, 1 if size >= 10 << 30 else 2)} GiB" if size else "-"


def _row(slug: str, combinations: t.Sequence[Planned]) -> Row:
    machine = combinations[0].machine
    host = machine.host
    gpu_bytes = free_vram(host) if host else 0
    ram_bytes = host.memory.total_bytes if host else 0
    return Row(
        machine.name,
        describe(host).rsplit(", ", 1)[0] if host else "",
        gib(gpu_bytes) if gpu_bytes else "-",
        gpu_bytes,
        gib(ram_bytes, 0) if ram_bytes else "-",
        ram_bytes,
        [_cell(one) for one in combinations],
    )


def _cell(one: Planned) -> Cell:
    plan = one.plan
    path = one.path.partition("/")[2]
    if plan is None:
        return Cell(words.UNPLANNED, "", f": {one.why}", path, -1)
    sign = words.SIGNS[plan.placement]
    rate = plan.speed.decode_tokens_per_second.expected if plan.speed else 0.0
    told = f", {plan.memory.n_ctx_seq:,} tokens of context" if plan.memory else ""
    # Below a million tokens per second a better placement always counts more.
    order = _ORDER.index(plan.placement) * 1e6 + rate
    return Cell(sign, figure(rate) if plan.speed else "", told, path, order)
