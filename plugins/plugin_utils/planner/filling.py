# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Experts over devices that do not hold all of them: each device is filled with those of its own layers.

Attention and shared experts of every layer are on a GPU, and the layers at one end of each device keep their routed
experts there, one of them in part: down to single tensors, so that less than one is left free.
"""

from __future__ import annotations

import math
import typing as t

from .partition import first_fit, partition, sums

# In so many steps the share of the experts is sought that all devices can hold alike.
STEPS = 64

Hosted = tuple[tuple[int, tuple[str, ...]], ...]


def filled(
    rest: t.Sequence[int], experts: t.Sequence[t.Mapping[str, int]], room: t.Sequence[int], last_first: bool = True
) -> tuple[list[int], Hosted] | None:
    """Return how many layers each device takes, and the experts that stay with the host; None where `rest` does not fit.

    :param last_first: a device keeps the experts of its last layers, else of its first.

    :param rest: bytes of each layer without routed experts.
    :param experts: for each layer the bytes of its experts' projections, the first to be kept first.
    :param room: bytes that each device can take.
    """
    counts = _shared(rest, experts, room)
    if counts is None:
        return None
    filling = _Filling(rest, experts, room, last_first)
    counts = filling.improved(counts)
    hosted: dict[int, tuple[str, ...]] = {}
    for device, start in enumerate(sums(counts)[:-1]):
        hosted |= filling.on(device, start, counts[device])[1]
    return counts, tuple(sorted(hosted.items()))


class _Filling:
    """What each device keeps of its layers' experts, for borders between devices that are moved a layer at a time."""

    def __init__(
        self, rest: t.Sequence[int], experts: t.Sequence[t.Mapping[str, int]], room: t.Sequence[int], last_first: bool
    ) -> None:
        self.rest = sums(rest)
        self.experts = experts
        self.room = room
        self.last_first = last_first
        self._known: dict[tuple[int, int, int], tuple[float, dict[int, tuple[str, ...]]]] = {}

    def improved(self, counts: list[int]) -> list[int]:
        """Move borders as long as fewer bytes of experts stay with the host."""
        better = True
        while better:
            better = False
            for border in range(len(counts) - 1):
                for step in (1, -1):
                    moved = list(counts)
                    moved[border] += step
                    moved[border + 1] -= step
                    if min(moved[border : border + 2]) > 0 and self._beside(moved, border) < self._beside(
                        counts, border
                    ):
                        counts, better = moved, True
        return counts

    def _beside(self, counts: list[int], border: int) -> float:
        """Return the bytes that stay with the host of the two devices at a border."""
        start = sum(counts[:border])
        first, second = counts[border : border + 2]
        return self.on(border, start, first)[0] + self.on(border + 1, start + first, second)[0]

    def on(self, device: int, start: int, count: int) -> tuple[float, dict[int, tuple[str, ...]]]:
        """Return the bytes of experts that stay with the host of a device's layers, and which; infinite where it has no room."""
        key = device, start, count
        if key not in self._known:
            self._known[key] = self._filled(
                self.room[device] - self.rest[start + count] + self.rest[start], start, count
            )
        return self._known[key]

    def _filled(self, left: int, start: int, count: int) -> tuple[float, dict[int, tuple[str, ...]]]:
        if left < 0:
            return math.inf, {}
        away = 0
        hosted: dict[int, tuple[str, ...]] = {}
        layers = range(start, start + count)
        for layer in reversed(layers) if self.last_first else layers:
            stay = []
            for projection, size in self.experts[layer].items():
                if size <= left:
                    left -= size
                else:
                    stay.append(projection)
                    away += size
            if stay:
                hosted[layer] = tuple(stay)
                # Once a layer did not fit, the layers before it stay altogether: what is read together is together.
                left = 0
        return away, hosted


def _shared(rest: t.Sequence[int], experts: t.Sequence[t.Mapping[str, int]], room: t.Sequence[int]) -> list[int] | None:
    """Share the layers out so that each device can keep the same part of its experts, as large as it can be."""
    totals = [sum(projections.values()) for projections in experts]

    def layers(step: int) -> list[int]:
        return [size + total * step // STEPS for size, total in zip(rest, totals, strict=True)]

    low, high = 0, STEPS
    if first_fit(sums(rest), room) is None:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if first_fit(sums(layers(middle)), room) is None:
            high = middle
        else:
            low = middle
    return partition(layers(low), room)
