# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Free blocks as `ggml_dyn_tallocr` of ggml 0.27 keeps them."""

from __future__ import annotations

from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.compute_buffer.allocate import Arena


def test_neighbours_are_joined_behind_a_free_block_of_no_bytes():
    arena = Arena(128)
    below = arena.take(128)
    empty = arena.take(0)
    arena.give(below, 128)
    # lies around the tensor of no bytes, which is given back first
    around = arena.take(256)
    arena.give(empty, 0)
    arena.give(around, 256)
    assert arena.take(384) == 0
    assert arena.size == 384
