# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MiniMax M2 and M3."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention
from ..blocks.feed_forward import always, dense, experts
from ..hyperparameters import Hyperparameters
from ..part import VECTOR, Architecture, Entry, either, is_moe, nothing, sequence, vectors


def _block_indexer(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """M3's sparse attention: small projections pick blocks of keys. The converter keeps all of it in F32."""
    heads, key = h.count("attention.indexer.head_count"), h.count("attention.indexer.key_length")
    yield "indexer.q_proj.weight", (h.embedding, heads * key), VECTOR
    yield "indexer.k_proj.weight", (h.embedding, key), VECTOR
    yield "indexer.q_norm.weight", (key,), VECTOR
    yield "indexer.k_norm.weight", (key,), VECTOR


ARCHITECTURES = {
    "minimax-m2": Architecture(
        block=sequence(vectors("attn_norm"), attention(norm="all"), vectors("ffn_norm"), experts(balanced=always)),
        top=nothing,
    ),
    "minimax-m3": Architecture(
        block=sequence(
            vectors("attn_norm"),
            attention(norm="head"),
            vectors("ffn_norm"),
            either(is_moe, sequence(experts(balanced=always), _block_indexer), dense),
        ),
        top=nothing,
    ),
}
