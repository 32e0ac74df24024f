# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of layers: which device holds each layer, and which its routed experts."""

from __future__ import annotations

import typing as t

from ...memory.breakdown import Part
from ...memory.placement import HOST
from . import words


class Cell(t.NamedTuple):
    """One layer in one row. `x` and `width` are percent; `css` says the device: ram, or g0 to g3 in turn, or split."""

    x: float
    width: float
    css: str
    title: str


class Strip(t.NamedTuple):
    """The layers as rows of cells, and in words for each device."""

    layers: int
    rows: list[tuple[str, list[Cell]]]
    told: list[tuple[str, str, str]]


def strip(parts: t.Sequence[Part]) -> Strip:
    """Return the picture of the blocks of a model.

    :param parts: the weights by kind and layer.
    """
    own: dict[int, set[int]] = {}
    experts: dict[int, set[int]] = {}
    for part in parts:
        if part.layer is not None:
            (experts if part.kind == "experts" else own).setdefault(part.layer, set()).add(part.device)
    layers = max([*own, *experts], default=-1) + 1
    rows = [("all but routed experts" if experts else "layers", _cells(own, layers))]
    if experts:
        rows.append(("routed experts", _cells(experts, layers)))
    return Strip(layers, rows, [*_told("layers", own), *_told("routed experts of layers", experts)])


def _cells(where: dict[int, set[int]], layers: int) -> list[Cell]:
    width = 100 / max(layers, 1)
    return [
        Cell(
            round(index * width, 3),
            round(width, 3),
            _css(devices),
            f"layer {index}: {' and '.join(map(_name, sorted(devices)))}",
        )
        for index, devices in sorted(where.items())
    ]


def _css(devices: set[int]) -> str:
    if len(devices) > 1:
        return "split"
    device = next(iter(devices))
    return "ram" if device == HOST else f"g{device % 4}"


def _name(device: int) -> str:
    return "RAM" if device == HOST else f"GPU{device}"


def _told(what: str, where: dict[int, set[int]]) -> t.Iterator[tuple[str, str, str]]:
    """Yield the class, the device and its layers; a layer that lies on two is told of by itself."""
    for device in sorted({device for devices in where.values() for device in devices}, key=lambda d: (d == HOST, d)):
        whole = [index for index, devices in where.items() if devices == {device}]
        if whole:
            yield _css({device}), _name(device), f"{what} {words.ranges(whole)}"
    for index, devices in sorted(where.items()):
        if len(devices) > 1:
            yield "split", " and ".join(map(_name, sorted(devices, reverse=True))), f"{what} {index}, in part each"
