# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Experts over devices that do not hold all of them: each device is filled with those of its own layers.

Attention and shared experts of every layer are on a GPU, and the layers at one end of each device keep their routed
experts there, one of them in part: down to single tensors, so that less than one is left free.
"""

from __future__ import annotations

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
    hosted: dict[int, tuple[str, ...]] = {}
    start = 0
    for count, space in zip(counts, room, strict=True):
        left = space - sum(rest[start : start + count])
        layers = range(start, start + count)
        for layer in reversed(layers) if last_first else layers:
            stay = []
            for projection, size in experts[layer].items():
                if size <= left:
                    left -= size
                else:
                    stay.append(projection)
            if stay:
                hosted[layer] = tuple(stay)
                # Once a layer did not fit, the layers before it stay altogether: what is read together is together.
                left = 0
        start += count
    return counts, tuple(sorted(hosted.items()))


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
