# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kind of host memory a launch uses, and what it adds to it while it serves.

Sources: `llama_model::load_tensors`, `tools/server/server-context.cpp` and `server-task.cpp` of llama.cpp 0.7.0.
"""

from __future__ import annotations

import typing as t

from ..contract.launch import Launch
from .anatomy import Anatomy
from .kv_cache import cell_bytes
from .options import Options

MIB = 1 << 20
MAPPED = ("auto", "mmap", "mmap+mlock")
Kind = t.Literal["mapped", "pinned", "pageable"]


def kind_of_weights(launch: Launch, options: Options) -> Kind:
    """Return what the weights on the host lie in.

    Mapped: pages of the file, which count as page cache. Pinned: memory of the GPU's driver. Where no GPU's driver gives the
    memory the engine may repack weights for the processor, into memory of its own; that is taken as so, since a mapped
    page can be dropped and a repacked one cannot.
    """
    if (launch.load_mode or "auto") in MAPPED:
        return "mapped" if options.pinned or launch.no_repack else "pageable"
    return "pinned" if options.pinned else "pageable"


def checkpoint_bytes(anatomy: Anatomy, options: Options) -> int:
    """Return the bytes of one checkpoint of a slot: what cannot be computed back from the cache that is kept anyway.

    That is the cells of the sliding windows and one copy of the recurrent state; 0 for models with neither.
    """
    types, context = options.types, options.context
    tokens = 0 if types.swa_full else min(anatomy.window, context.n_ctx_seq)
    total = 0
    for layer in anatomy.layers:
        total += 4 * (layer.rolling + layer.state)
        if layer.windowed and layer.in_cache:
            total += tokens * (cell_bytes(types.k, layer.k_width) + cell_bytes(types.v, layer.v_width))
    return total


def checkpoints(launch: Launch, anatomy: Anatomy, options: Options, default: int) -> int:
    """Return the bytes of all checkpoints that may come to be: every slot's, each of full size."""
    each = anatomy.memo.get(("checkpoint", options.context, options.types))
    if each is None:
        each = anatomy.memo["checkpoint", options.context, options.types] = checkpoint_bytes(anatomy, options)
    number = default if launch.ctx_checkpoints is None else launch.ctx_checkpoints
    return int(each) * number * options.context.n_seqs


def prompt_cache(launch: Launch, default_mib: int) -> int | None:
    """Return the bytes that earlier prompts may take (`--cache-ram`), None where nothing limits them."""
    limit = default_mib if launch.cache_ram is None else launch.cache_ram
    return None if limit < 0 else limit * MIB
