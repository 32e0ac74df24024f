# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words and signs of the pages: one place, so that no two pages call the same thing by two names."""

from __future__ import annotations

import typing as t

from ...contract.plan import Band, Placement, Plan
from ...units import figure, gib


class Sign(t.NamedTuple):
    """How a placement is shown: a class for the colour, a sign that needs none, a word, and a sentence."""

    css: str
    sign: str
    word: str
    sentence: str


SIGNS: dict[Placement, Sign] = {
    "gpu": Sign("gpu", "●", "GPU", "Everything is in GPU memory."),
    "gpu+host": Sign("mix", "◐", "GPU and RAM", "Part of it is in GPU memory, the rest in RAM."),
    "host": Sign("ram", "○", "RAM", "Everything is in RAM; the processors compute."),
    "disk": Sign("disk", "▽", "From disk", "Memory does not hold it: weights are read from disk for every token."),
    "none": Sign("none", "✕", "Does not run", "It cannot be started on this machine."),
}

# Where no plan could be made: nothing is claimed.
UNPLANNED = Sign("unplanned", "?", "Not planned", "What the catalog knows does not do for a plan.")

BASES = {
    "file": "read from the file",
    "formula": "exact by llama.cpp's rules",
    "bound": "an upper bound",
    "measured": "measured",
    "assumed": "assumed",
}

SPEED_BASES = {
    "measured": "measured on this machine",
    "calibrated": "estimated, calibrated on measurements of many machines",
    "roofline": "estimated from the bandwidth of the hardware",
}


def size(value_bytes: int | None) -> str:
    """Return bytes in GiB with the unit; small sizes with more digits, so that they do not read 0."""
    if value_bytes is None:
        return "unknown"
    return f"{gib(value_bytes, 1 if value_bytes >= 10 << 30 else 2)} GiB"


def tokens_per_second(band: Band) -> str:
    """Return a band as its two ends, or one figure where they read the same."""
    low, high = figure(band.low), figure(band.high)
    return low if low == high else f"{low} to {high}"


def billions(number: int | None) -> str:
    """Return a number of parameters as people say it."""
    if number is None:
        return "unknown"
    if number >= 10**9:
        value = number / 10**9
        return f"{value:,.0f} billion" if value >= 100 else f"{value:,.1f} billion"
    return f"{number / 10**6:,.0f} million"


def reads_from_disk(plan: Plan) -> str:
    """Say whether weights are read from disk while tokens are generated."""
    if plan.placement == "disk":
        return "yes, for every token"
    return "no, only to load" if plan.placement != "none" else "does not start"


def runs(first: int, last: int) -> str:
    """Return a range of layers in words."""
    return str(first) if first == last else f"{first} to {last}"


def ranges(numbers: t.Iterable[int]) -> str:
    """Return numbers as ranges: 0 to 3, 7, 9 to 12."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(runs(first, last) for first, last in found)
