# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launches at which llama.cpp 0.7.0 itself ends: better said before they are tried."""

from __future__ import annotations

from .anatomy import Anatomy
from .context import Context
from .refusals import LaunchRefused

# What ggml's hash tables grow to (`ggml_hash_size`).
HASH_SIZES = (1031, 2053, 4099, 8209, 16411, 32771, 65537, 131101)
# A graph is planned for this many nodes, and for eight per tensor of the model.
LEAST_NODES = 1024
NODES_PER_TENSOR = 8


def check_slots(anatomy: Anatomy, context: Context) -> None:
    """Kimi Linear's graph needs micro-batches that its slots share evenly, unless they share one cache.

    :raises LaunchRefused: they do not.
    """
    if anatomy.name == "kimi-linear" and context.streams > 1 and context.n_ubatch % context.streams:
        raise LaunchRefused(
            f"ubatch_size {context.n_ubatch} is no multiple of parallel {context.n_seqs}, at which llama.cpp 0.7.0 crashes"
            " with Kimi Linear; choose a multiple or set kv_unified"
        )


def graph_capacity(anatomy: Anatomy) -> int:
    """Return how many tensors a graph of this model may have before the scheduler's table is full."""
    planned = max(LEAST_NODES, NODES_PER_TENSOR * len(anatomy.model.tensors))
    return next((size for size in HASH_SIZES if size >= planned), planned)


def check_graph(anatomy: Anatomy, tensors: int) -> None:
    """Models of many small experts with a quantised cache can have more tensors in the graph than are planned for.

    :raises LaunchRefused: this graph has.
    """
    if anatomy.architecture.graph != "transformer":
        # llama.cpp plans more for the larger graphs of other families
        return
    capacity = graph_capacity(anatomy)
    if tensors > capacity:
        raise LaunchRefused(
            f"the graph of {anatomy.model.id} has {tensors} tensors at this launch, and llama.cpp 0.7.0 crashes beyond"
            f" {capacity} for this model; use f16 for cache_type_k and cache_type_v"
        )
