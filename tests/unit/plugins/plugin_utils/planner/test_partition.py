# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.partition import SLACK_STEP, partition
from hypothesis import given
from hypothesis import strategies as st

MIB = 1 << 20


def _cuts(layers: int, devices: int):
    """Every way to give so many layers to so many devices in order."""
    for cuts in itertools.combinations_with_replacement(range(layers + 1), devices - 1):
        yield [b - a for a, b in itertools.pairwise((0, *cuts, layers))]


def _left(layers, room, counts):
    """The room left on the fullest of the devices that hold a layer, or None where one holds too much."""
    left, start = [], 0
    for count, space in zip(counts, room, strict=True):
        left.append(space - sum(layers[start : start + count]))
        start += count
    return min(left) if min(left) >= 0 else None


@given(
    st.lists(st.integers(1, 40).map(lambda n: n * MIB), min_size=1, max_size=7),
    st.lists(st.integers(0, 90).map(lambda n: n * MIB), min_size=1, max_size=3),
)
def test_it_finds_a_way_whenever_there_is_one_and_the_best_up_to_a_step(layers, room):
    ways = [left for counts in _cuts(len(layers), len(room)) if (left := _left(layers, room, counts)) is not None]
    counts = partition(layers, room)
    if not ways:
        assert counts is None
        return
    assert counts is not None
    assert sum(counts) == len(layers)
    left = _left(layers, room, counts)
    assert left is not None
    # A device that takes no layer does not have to keep the slack, so the search may even do better than this.
    assert left >= max(ways) - SLACK_STEP


def test_equal_devices_get_equal_shares():
    assert partition([10 * MIB] * 8, [100 * MIB] * 4) == [2, 2, 2, 2]


@pytest.mark.parametrize("room", [[0], [5 * MIB], [9 * MIB, 9 * MIB]])
def test_a_layer_larger_than_every_device_does_not_fit(room):
    assert partition([10 * MIB], room) is None
