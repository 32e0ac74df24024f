# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pictures of speed: bands of tokens per second on a logarithmic axis."""

from __future__ import annotations

import math
import typing as t

from ...contract.plan import Band, Plan
from ...units import figure
from . import words


class Line(t.NamedTuple):
    """One band: `x`, `width` and `middle` are percent of the axis; None where there is no speed."""

    label: str
    sign: words.Sign | None
    text: str
    expected: str
    x: float | None
    width: float | None
    middle: float | None


class Chart(t.NamedTuple):
    """Bands over one axis with its `ticks`, each a position in percent and a figure."""

    ticks: list[tuple[float, str]]
    lines: list[Line]


def ladder(plan: Plan) -> Chart:
    """Return where the model would be at other lengths of context, and how fast it generates when they are full."""
    return _chart(
        [
            (
                f"{rung.context:,}",
                words.SIGNS[rung.placement],
                rung.speed.decode_tokens_per_second if rung.speed else None,
            )
            for rung in plan.ladder
        ]
    )


def speeds(plan: Plan) -> Chart:
    """Return the speed of reading a prompt and of generating."""
    if plan.speed is None:
        return Chart([], [])
    return _chart(
        [
            ("generating", None, plan.speed.decode_tokens_per_second),
            ("reading a prompt", None, plan.speed.prefill_tokens_per_second),
        ]
    )


def _chart(rows: list[tuple[str, words.Sign | None, Band | None]]) -> Chart:
    bands = [band for _label, _sign, band in rows if band]
    if not bands:
        return Chart([], [Line(label, sign, "-", "-", None, None, None) for label, sign, _band in rows])
    first = math.floor(math.log10(min(band.low for band in bands)))
    last = max(math.ceil(math.log10(max(band.high for band in bands))), first + 1)

    def at(value: float) -> float:
        return round(100 * (math.log10(value) - first) / (last - first), 2)

    def line(label: str, sign: words.Sign | None, band: Band | None) -> Line:
        if band is None:
            return Line(label, sign, "-", "-", None, None, None)
        low, high = at(band.low), at(band.high)
        text = words.tokens_per_second(band)
        return Line(label, sign, text, figure(band.expected), low, round(high - low, 2), at(band.expected))

    ticks = [(at(10.0**power), figure(10.0**power)) for power in range(first, last + 1)]
    return Chart(ticks, [line(*row) for row in rows])
