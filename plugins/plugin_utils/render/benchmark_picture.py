# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planned against measured as a picture: how many times the plan each figure is, so that hosts and days compare at a glance.

Every line has the band of its plan as a bar and what was measured as a mark: a disc inside the band, a diamond outside.
"""

from __future__ import annotations

import math
import typing as t
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _RIGHT = 1120, 250, 400
_TOP, _LINE, _GAP = 86, 24, 40
# How far a mark may be from the plan and still be drawn in place; farther ones stand at the edge, with their figure
_SPAN = 4.0
_TICKS = (0.25, 0.5, 1.0, 2.0, 4.0)
_INK, _FAINT, _BAND, _GOOD, _BAD = "#1d2733", "#6b7785", "#c9dcf2", "#1a7f4b", "#c0392b"


class Line(t.NamedTuple):
    """A figure: its name, the band and the measurement as parts of what was planned, and both in words."""

    name: str
    low: float
    high: float
    measured: float
    differs: bool
    words: str


class Group(t.NamedTuple):
    """The figures of one run, under a title."""

    title: str
    lines: t.Sequence[Line]


def picture(title: str, groups: t.Sequence[Group]) -> str:
    """Return the SVG."""
    height = _TOP + sum(_GAP + _LINE * len(group.lines) for group in groups) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' font-family="system-ui, sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(24, 34, title, size=18, weight=600),
        *_legend(),
        *_axis(height),
    ]
    y = _TOP
    for group in groups:
        y += _GAP
        # A halo, since the lines of the scale pass behind it
        parts.append(_text(24, y - 12, group.title, weight=600, halo="#ffffff"))
        for line in group.lines:
            parts += _drawn(line, y + _LINE // 2 - 4)
            y += _LINE
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> list[str]:
    y = 58
    return [
        f'<rect x="24" y="{y - 9}" width="34" height="10" rx="3" fill="{_BAND}"/>',
        _text(66, y, "band of the plan", fill=_FAINT),
        _mark(190, y - 4, differs=False),
        _text(202, y, "measured", fill=_FAINT),
        _mark(290, y - 4, differs=True),
        _text(304, y, "measured outside of the band", fill=_FAINT),
    ]


def _axis(height: int) -> list[str]:
    parts = []
    for tick in _TICKS:
        x = _place(tick)
        style = f'stroke="{_INK}" stroke-width="1.2"' if tick == 1.0 else f'stroke="{_FAINT}" stroke-opacity="0.3"'
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP + 6}" x2="{x:.1f}" y2="{height - 16}" {style}/>')
        label = "as planned" if tick == 1.0 else f"{tick:g}x"
        parts.append(_text(x, _TOP - 2, label, anchor="middle", fill=_INK if tick == 1.0 else _FAINT))
    return parts


def _drawn(line: Line, y: float) -> list[str]:
    low, high = _place(line.low), _place(line.high)
    width = max(high - low, 2.0)
    return [
        _text(_LEFT - 14, y + 4, line.name, anchor="end", fill=_FAINT),
        f'<rect x="{low:.1f}" y="{y - 6:.1f}" width="{width:.1f}" height="12" rx="3" fill="{_BAND}"/>',
        _mark(_place(line.measured), y, line.differs),
        _text(_WIDTH - _RIGHT + 20, y + 4, line.words, fill=_BAD if line.differs else _INK),
    ]


def _mark(x: float, y: float, differs: bool) -> str:
    if differs:
        return f'<path d="M{x:.1f} {y - 7:.1f} l7 7 l-7 7 l-7 -7 z" fill="{_BAD}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_GOOD}"/>'


def _place(ratio: float) -> float:
    """Return where a part of the plan lies, on a scale on which half and double are equally far from one."""
    inside = min(max(ratio, 1 / _SPAN), _SPAN)
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    half = (_WIDTH - _RIGHT - _LEFT) / 2
    return middle + half * math.log(inside) / math.log(_SPAN)


def _text(x: float, y: float, words: str, **style: t.Any) -> str:
    given = {"anchor": "text-anchor", "size": "font-size", "weight": "font-weight", "fill": "fill", "halo": "stroke"}
    attributes = "".join(f' {given[key]}="{value}"' for key, value in {"fill": _INK, **style}.items())
    if "halo" in style:
        attributes += ' stroke-width="5" paint-order="stroke"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(words)}</text>'
