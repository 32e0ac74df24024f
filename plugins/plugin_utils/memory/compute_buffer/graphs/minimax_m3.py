# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MiniMax M3: after the leading dense blocks an indexer chooses blocks of cells, for each group of heads its own.

Only where every slot has a stream of its own and flash attention is used; else all cells are read. Lists of positions are
as long as the context is when it starts: one step of 256.
"""

from __future__ import annotations

from ...anatomy import Anatomy, Layer
from ..builder import Setting
from ..graph import Node
from .transformer import Transformer

POSITIONS_AT_START = 256


class MiniMaxM3(Transformer):
    """minimax-m3."""

    def __init__(self, anatomy: Anatomy, setting: Setting) -> None:
        super().__init__(anatomy, setting)
        context = setting.context
        self.sparse = setting.flash and context.streams == context.n_seqs
        self.float_mask: Node | None = None

    def attention(self, layer: Layer, x: Node) -> Node:
        if not (layer.indexer_k and self.sparse):
            return super().attention(layer, x)
        graph, index, tokens = self.graph, layer.index, self.tokens
        self.store_indexer_key(layer, x)
        q, k, v, _whole = self.projections(layer, x)
        q, k = self.positioned(layer, q, "attn_q_norm"), self.positioned(layer, k, "attn_k_norm")
        inputs = self.attention_input(False)
        q, k = self.rotated(q, inputs.k_rotation), self.rotated(k, inputs.k_rotation)
        v = self.rotated(v, inputs.v_rotation)
        for part in (q, k, v):
            graph.expand(part)
        cells = self.context.n_ctx_seq
        self._store_k(layer, k, inputs, cells)
        self._store_v(layer, v, inputs, cells)
        chosen = self.indexer_query(layer, x)
        results = [self.one_stream(layer, q, chosen, stream) for stream in range(self.context.streams)]
        cur = results[0]
        for result in results[1:]:
            cur = graph.concat(cur, result, 1)
        cur = graph.reshape(cur, (cur.ne[0], tokens, 1, 1)) if cur.ne[1] != tokens else cur
        return self.mm("attn_output", self.rotated(cur, inputs.v_rotation), index)

    def store_indexer_key(self, layer: Layer, x: Node) -> None:
        graph, index, width = self.graph, layer.index, layer.indexer_k
        key = graph.reshape(self.mm("indexer.k_proj", x, index), (width, 1, self.tokens, 1))
        key = graph.rope(self.norm(key, "indexer.k_norm", index), self.positions)
        cache = self.indexer_cache(layer)
        rows = graph.view(key, (width, self.tokens, 1, 1))
        where = self.input("indexer_cells", (self.tokens, 1, 1, 1), "i64")
        graph.expand(graph.write("SET_ROWS", cache, rows, where, self.merged(cache)))

    def indexer_cache(self, layer: Layer) -> Node:
        return self.cache("indexer", layer, self.setting.types.k, layer.indexer_k, self.context.n_ctx_seq)

    def indexer_query(self, layer: Layer, x: Node) -> Node:
        graph, index = self.graph, layer.index
        heads = self.number("attention.indexer.head_count")
        q = graph.reshape(self.mm("indexer.q_proj", x, index), (layer.indexer_k, heads, self.tokens, 1))
        return graph.rope(self.norm(q, "indexer.q_norm", index), self.positions)

    def one_stream(self, layer: Layer, q: Node, indexer_q: Node, stream: int) -> Node:
        """Attention of one slot: its groups of heads are a dimension of their own, each with its mask."""
        graph, types, streams = self.graph, self.setting.types, self.context.streams
        cells, each = self.context.n_ctx_seq, self.tokens // streams
        length, groups = layer.key_length, layer.kv_heads
        share = layer.heads // groups
        part = graph.view(q, (length, layer.heads, each, 1))
        query = graph.permute(graph.reshape(part, (length, share, groups, each)), (length, each, share, groups))
        caches = []
        for what, kind, width in (("k", types.k, layer.k_width), ("v", types.v, layer.v_width)):
            whole = self.stream_view(
                what, self.cache(what, layer, kind, width, cells), (length, groups, cells, streams)
            )
            own = graph.part(whole, (length, groups, cells, 1))
            caches.append(graph.permute(own, (length, cells, 1, groups)))
        mask = self.block_mask(layer, indexer_q, stream)
        node = graph.op("FLASH_ATTN_EXT", (length, share, each, groups), query, *caches, mask)
        node.gpu_size = self.attention_bytes(node, *caches)
        node.layer = layer.index
        graph.attention.append(node)
        turned = graph.cont(graph.permute(node, (length, share, groups, each)))
        return graph.expand(graph.reshape(turned, (length * layer.heads, each, 1, 1)))

    def stream_view(self, what: str, cache: Node, ne: tuple[int, int, int, int]) -> Node:
        """The view of a cache by streams, which all streams of a block share."""
        key = "view", what, id(cache)
        known = self._inputs.get(key)
        if known is None:
            known = self._inputs[key] = self.graph.part(cache, ne)
        return known

    def block_mask(self, layer: Layer, indexer_q: Node, stream: int) -> Node:
        """The mask with only the best blocks of cells, `[cells, tokens, 1, groups]`."""
        graph, streams, width = self.graph, self.context.streams, layer.indexer_k
        cells, each = self.context.n_ctx_seq, self.tokens // streams
        heads = indexer_q.ne[1]
        blocks = POSITIONS_AT_START // self.number("attention.indexer.block_size")
        positions = self.input("msa_positions", (POSITIONS_AT_START, streams, 1, 1), "i32")
        bias = self.input("msa_bias", (POSITIONS_AT_START, self.tokens, 1, 1))
        block_bias = self.input("msa_block_bias", (blocks, self.tokens, 1, 1))
        block_of_cell = self.input("msa_block_of_cell", (cells, streams, 1, 1), "i32")
        keys = self.stream_view("indexer", self.indexer_cache(layer), (width, 1, cells, streams))
        keys = graph.get_rows(
            graph.part(keys, (width, cells, 1, 1)), graph.view(positions, (POSITIONS_AT_START, 1, 1, 1))
        )
        own_q = graph.reshape(graph.view(indexer_q, (width, heads, each, 1)), (width, heads * each, 1, 1))
        scores = graph.reshape(graph.mul_mat(keys, own_q), (POSITIONS_AT_START, heads, each, 1))
        scores = graph.write("ADD", scores, scores, graph.view(bias, (POSITIONS_AT_START, 1, each, 1)))
        pooled = graph.op("POOL_2D", (blocks, heads, each, 1), scores)
        own_bias = graph.view(block_bias, (blocks, 1, each, 1))
        pooled = graph.add(pooled, own_bias)
        count = min(blocks, self.number("attention.indexer.top_k"))
        best = graph.integers("TOP_K", (count, heads, each, 1), pooled)
        zeros = graph.reshape(graph.scale(graph.cast(best, "f32")), (1, count, heads * each, 1))
        rows = graph.reshape(best, (count, heads * each, 1, 1))
        masked = graph.repeat(graph.cast(graph.scale(own_bias), "f16"), (blocks, heads, each, 1))
        flat = graph.reshape(masked, (1, blocks, heads * each, 1))
        chosen = graph.write("SET_ROWS", flat, zeros, rows, flat)
        by_head = graph.permute(graph.reshape(chosen, (blocks, heads, each, 1)), (blocks, each, heads, 1))
        by_head = graph.reshape(graph.cont(by_head), (blocks, each * heads, 1, 1))
        table = graph.cont(graph.transpose(by_head))
        spread = graph.get_rows(table, graph.view(block_of_cell, (cells, 1, 1, 1)))
        spread = graph.reshape(graph.cont(graph.transpose(spread)), (cells, each, heads, 1))
        own_mask = graph.view(self.mask_in_floats(), (cells, each, 1, 1))
        spread = graph.write("ADD", spread, spread, own_mask)
        return graph.cast(graph.reshape(spread, (cells, each, 1, heads)), "f16")

    def mask_in_floats(self) -> Node:
        if self.float_mask is None:
            self.float_mask = self.graph.cast(self.attention_input(False).mask, "f32")
        return self.float_mask
