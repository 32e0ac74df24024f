# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocks with multi-head latent attention: DeepSeek V2 and V3, and with the lightning indexer V3.2 and GLM-5.

K and V are one latent row per token; each head's part of K is multiplied into Q instead, and its part of V after
attention. The indexer scores all cells for every token, and only the best are left in the mask.
"""

from __future__ import annotations

import typing as t

from ...anatomy import Anatomy, Layer
from ..builder import Setting
from ..graph import Node
from .transformer import Transformer


class LatentAttention(Transformer):
    """deepseek2; also the attention of Kimi Linear, without rotary embeddings there."""

    cut_by_reshape = True

    def attention(self, layer: Layer, x: Node) -> Node:
        q, _compressed = self.latent_query(layer, x)
        cur = self.attend(layer, q, self.latent_key(layer, x), None, v_up=self.need("attn_v_b.weight", layer.index))
        return self.mm("attn_output", cur, layer.index)

    @property
    def rope_length(self) -> int:
        return self.number("rope.dimension_count")

    def latent_query(self, layer: Layer, x: Node) -> tuple[Node, Node | None]:
        """Q over the latent rows `[latent + rope, heads, tokens]`, and the compressed Q it is made of, if it is."""
        graph, index, tokens = self.graph, layer.index, self.tokens
        compressed = None
        if self.weight("attn_q_a.weight", index) is not None:
            compressed = self.norm(self.mm("attn_q_a", x, index), "attn_q_a_norm", index)
            q = self.mm("attn_q_b", compressed, index)
        else:
            q = self.mm("attn_q", x, index)
        length, heads = q.ne[0] // layer.heads, layer.heads
        if self.cut_by_reshape:
            q = graph.reshape(q, (length, heads, tokens, 1))
        row = length * heads * 4
        nope = length - self.rope_length
        plain = graph.permute(graph.view(q, (nope, heads, tokens, 1), length * 4, row), (nope, tokens, heads, 1))
        absorbed = graph.mul_mat(self.need("attn_k_b.weight", index), plain)
        absorbed = graph.permute(absorbed, (absorbed.ne[0], heads, tokens, 1))
        rotated = self.turned(graph.view(q, (self.rope_length, heads, tokens, 1), length * 4, row))
        return graph.concat(absorbed, rotated, 0), compressed

    def latent_key(self, layer: Layer, x: Node) -> Node:
        """The latent row `[latent + rope, 1, tokens]`."""
        graph, index, tokens = self.graph, layer.index, self.tokens
        both = self.mm("attn_kv_a_mqa", x, index)
        latent = both.ne[0] - self.rope_length
        row = both.ne[0] * 4
        values = self.norm(graph.view(both, (latent, tokens, 1, 1), row), "attn_kv_a_norm", index)
        values = graph.reshape(values, (latent, 1, tokens, 1))
        return graph.concat(values, self.turned(graph.view(both, (self.rope_length, 1, tokens, 1), row, row)), 0)

    def turned(self, x: Node) -> Node:
        return self.graph.rope(x, self.positions)


class SparseLatentAttention(LatentAttention):
    """deepseek32, glm-dsa."""

    cut_by_reshape = False

    def __init__(self, anatomy: Anatomy, setting: Setting) -> None:
        super().__init__(anatomy, setting)
        self.best: Node | None = None

    def attention(self, layer: Layer, x: Node) -> Node:
        index = layer.index
        if layer.indexer_k:
            self.store_indexer_key(layer, x)
        q, compressed = self.latent_query(layer, x)

        def mask(common: Node) -> Node:
            if layer.indexer_k or self.best is None:
                self.best = self.best_cells(layer, x, t.cast(Node, compressed))
            return self.only(self.best, common, layer)

        key = self.latent_key(layer, x)
        cur = self.attend(layer, q, key, None, v_up=self.need("attn_v_b.weight", index), mask=mask)
        return self.mm("attn_output", cur, index)

    @property
    def indexer_rotation(self) -> Node:
        side = self.number("attention.indexer.key_length")
        return self.input("indexer_rotation", (side, side, 1, 1))

    def indexer_cells(self) -> Node:
        return self.input("indexer_cells", (self.tokens, 1, 1, 1), "i64")

    def indexer_mask(self) -> Node:
        streams = self.context.streams
        shape = (self.context.n_ctx_seq, self.tokens // streams, 1, streams)
        return self.input("indexer_mask", shape, "f16")

    def indexer_cache(self, layer: Layer) -> Node:
        types = self.setting.types
        return self.cache("indexer", layer, types.k, layer.indexer_k, self.context.n_ctx_seq)

    def store_indexer_key(self, layer: Layer, x: Node) -> None:
        graph, index, width = self.graph, layer.index, layer.indexer_k
        key = self.norm(self.mm("indexer.attn_k", x, index), "indexer.k_norm", index, "NORM")
        key = graph.rope(graph.reshape(key, (width, 1, self.tokens, 1)), self.positions)
        key = graph.mul_mat(self.indexer_rotation, key)
        cache = self.indexer_cache(layer)
        rows = graph.view(key, (width, self.tokens, 1, 1))
        graph.expand(graph.write("SET_ROWS", cache, rows, self.indexer_cells(), self.merged(cache)))

    def best_cells(self, layer: Layer, x: Node, compressed: Node) -> Node:
        """The cells with the highest scores, for each token."""
        graph, index, tokens = self.graph, layer.index, self.tokens
        width, heads = layer.indexer_k, self.number("attention.indexer.head_count")
        streams, cells = self.context.streams, self.context.n_ctx_seq
        each = tokens // streams
        q = self.mm("indexer.attn_q_b", compressed, index)
        q = graph.rope(graph.reshape(q, (width, heads, tokens, 1)), self.positions)
        q = graph.part(graph.mul_mat(self.indexer_rotation, q), (width, heads, each, streams))
        k = graph.part(self.indexer_cache(layer), (width, 1, cells, streams))
        weights = self.mm("indexer.proj", x, index)
        weights = graph.scale(graph.part(weights, (heads, each, 1, streams)))
        scores = graph.op("LIGHTNING_INDEXER", (cells, each, 1, streams), q, k, weights, self.indexer_mask())
        count = min(cells, self.number("attention.indexer.top_k"))
        best = graph.integers("TOP_K", (count, each, 1, streams), scores)
        return graph.integers("CONT", best.ne, best)

    def only(self, best: Node, common: Node, layer: Layer) -> Node:
        """The common mask with all cells masked but the best."""
        graph = self.graph
        count, each, _one, streams = best.ne
        cells = common.ne[0]
        zeros = graph.same("FILL", graph.leaf((1, count, each, streams), flags=0))
        indices = graph.view(best, (count, each, streams, 1))
        filled = graph.same("FILL", common)
        target = graph.view(filled, (1, cells, each, streams))
        written = graph.write("SET_ROWS", target, zeros, indices, target)
        return graph.add(graph.view(written, (cells, each, 1, streams)), common)
