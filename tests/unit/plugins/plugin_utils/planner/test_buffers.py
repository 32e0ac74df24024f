# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.buffers import Buffers


def test_between_two_contexts_a_line_is_told_and_outside_the_nearest_goes_on():
    buffers = Buffers()
    assert buffers.at("kind", 4096) is None
    buffers.learn("kind", 4096, (100, 10), anew=False)
    assert buffers.at("kind", 2048) == (50, 5)
    assert buffers.at("kind", 8192) == (100, 10)
    buffers.learn("kind", 8192, (300, 10), anew=False)
    assert buffers.at("kind", 6144) == (200, 10)
    assert buffers.at("kind", 12288) == (500, 10)
    assert buffers.at("kind", 1024) == (0, 10)
    assert buffers.at("another kind", 4096) is None


def test_of_layouts_that_did_not_hold_the_most_counts_and_one_that_did_is_believed():
    buffers = Buffers()
    buffers.learn("kind", 4096, (100, 50), anew=False)
    buffers.learn("kind", 4096, (90, 60), anew=False)
    assert buffers.at("kind", 4096) == (100, 60)
    buffers.learn("kind", 4096, (80, 40), anew=True)
    assert buffers.at("kind", 4096) == (80, 40)
