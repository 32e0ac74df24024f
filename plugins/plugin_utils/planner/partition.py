# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Consecutive layers shared out over devices."""

from __future__ import annotations

import bisect
import itertools
import typing as t

SLACK_STEP = 1 << 20


def partition(layers: t.Sequence[int], room: t.Sequence[int]) -> list[int] | None:
    """Return how many layers each device takes, in order, or None where they do not fit.

    Of all ways that fit, the one that leaves the most room on the fullest device (to 1 MiB), since that is the device
    that runs out of memory first.

    :param layers: bytes of each layer; llama.cpp gives devices consecutive layers in this order.
    :param room: bytes that each device can take.
    """
    prefix = sums(layers)
    if first_fit(prefix, room) is None:
        return None
    low, high = 0, max(room) // SLACK_STEP + 1
    while high - low > 1:
        middle = (low + high) // 2
        if first_fit(prefix, room, middle * SLACK_STEP) is None:
            high = middle
        else:
            low = middle
    return first_fit(prefix, room, low * SLACK_STEP)


def sums(layers: t.Iterable[int]) -> list[int]:
    """Return the sums of the first layers, of none to all of them."""
    return list(itertools.accumulate(layers, initial=0))


def first_fit(prefix: t.Sequence[int], room: t.Sequence[int], slack: int = 0) -> list[int] | None:
    """Fill the devices one after the other, each up to its room less `slack`; None where layers are left over.

    :param prefix: the layers' `sums`.
    """
    counts, start, last = [], 0, len(prefix) - 1
    for space in room:
        end = bisect.bisect_right(prefix, prefix[start] + space - slack, start) - 1
        end = max(start, end)
        counts.append(end - start)
        start = end
    return counts if start == last else None
