# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes of the recurrent state: the last columns of the convolution (R) and the state proper (S), in f32.

Independent of the context's length: one row of each per slot, and one more for every drafted token that may be taken
back. Source: `llama-memory-recurrent.cpp` of llama.cpp 0.7.0.
"""

from __future__ import annotations

from .alignment import CPU_ALIGNMENT, CUDA_ALIGNMENT
from .anatomy import Anatomy
from .context import Context, pad
from .kv_cache import NOTHING, Bytes


def state_bytes(anatomy: Anatomy, context: Context) -> list[Bytes]:
    """Return what every block's state takes."""
    known: dict[tuple[int, int], Bytes] = {(0, 0): NOTHING}
    result = []
    for layer in anatomy.layers:
        kind = (layer.rolling, layer.state)
        size = known.get(kind)
        if size is None:
            sizes = [4 * context.n_seqs * context.kept_states * width for width in kind]
            size = known[kind] = Bytes(
                sum(pad(size, CUDA_ALIGNMENT) for size in sizes), sum(pad(size, CPU_ALIGNMENT) for size in sizes)
            )
        result.append(size)
    return result
