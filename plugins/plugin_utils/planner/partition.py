# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Consecutive layers shared out over devices."""

from __future__ import annotations

import typing as t

SLACK_STEP = 1 << 20


def partition(layers: t.Sequence[int], room: t.Sequence[int]) -> list[int] | None:
    """Return how many layers each device takes, in order, or None where they do not fit.

    Of all ways that fit, the one that leaves the most room on the fullest device (to 1 MiB), since that is the device
    that runs out of memory first.

    :param layers: bytes of each layer; llama.cpp gives devices consecutive layers in this order.
    :param room: bytes that each device can take.
    """
    if _filled(layers, room, 0) is None:
        return None
    low, high = 0, max(room) // SLACK_STEP + 1
    while high - low > 1:
        middle = (low + high) // 2
        if _filled(layers, room, middle * SLACK_STEP) is None:
            high = middle
        else:
            low = middle
    return _filled(layers, room, low * SLACK_STEP)


def _filled(layers: t.Sequence[int], room: t.Sequence[int], slack: int) -> list[int] | None:
    """Fill the devices one after the other, each up to its room less `slack`; None where layers are left over."""
    counts = [0] * len(room)
    device, left = 0, room[0] - slack
    for layer in layers:
        while layer > left:
            device += 1
            if device == len(room):
                return None
            left = room[device] - slack
        left -= layer
        counts[device] += 1
    return counts
