# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DeepSeek V4: several residual streams, and keys kept raw in a window and compressed beyond it.

`attention.compress_ratios` gives each block its kind: 0 only the window; 128 all keys compressed by 128; 4 keys compressed
by 4 of which an indexer chooses. Every slot has a stream of its own, whatever `--kv-unified` says.
"""

from __future__ import annotations

import typing as t

from .....module_utils.ggml_types import ggml_type
from ...anatomy import Anatomy, Layer
from ...context import pad
from ...placement import HOST
from ..builder import Setting
from ..graph import OUTPUT, Node, Shape
from .transformer import Transformer

INDEXED = 4


class Compressor(t.NamedTuple):
    """One compressor of a block: `name` of its inputs, `weights` of its tensors, `width` of what it gives.

    `span` keys become one, of `span` x `overlap` read; `rows` of state are kept per slot.
    """

    name: str
    weights: str
    width: int
    span: int
    overlap: int

    @property
    def rows(self) -> int:
        return self.span * self.overlap


class DeepSeek4(Transformer):
    """deepseek4. The residual is `[embd, streams, tokens]`."""

    def __init__(self, anatomy: Anatomy, setting: Setting) -> None:
        super().__init__(anatomy, setting)
        self.slots = setting.context.n_seqs
        self.each = self.tokens // self.slots
        self.versions = int(anatomy.get("hyper_connection.count", 4))

    def build(self, blocks: t.Sequence[int]) -> None:
        graph, tokens, embd = self.graph, self.tokens, self.anatomy.embd
        rows = graph.get_rows(self.embedding_on(HOST), self.input("inp_tokens", (tokens, 1, 1, 1), "i32"))
        graph.expand(rows)
        graph.expand(self.input("inp_embd", (embd, tokens, 1, 1)))
        graph.expand(self.mask_of("raw_mask", self.raw_cells))
        x = graph.repeat(graph.reshape(rows, (embd, 1, tokens, 1)), (embd, self.versions, tokens, 1))
        for index in blocks:
            x = self.block(self.anatomy.layers[index], x, False)
        x.flags |= OUTPUT
        count = self.context.n_outputs
        flat = self.last(graph.reshape(x, (embd * self.versions, tokens, 1, 1)))
        self.output(self.merged_streams(graph.reshape(flat, (embd, self.versions, count, 1)), count))

    def merged_streams(self, x: Node, count: int) -> Node:
        """The weighted sum of all streams."""
        graph, embd = self.graph, self.anatomy.embd
        row = embd * self.versions * 4
        first = graph.view(x, (embd, count, 1, 1), row)
        flat = graph.same("RMS_NORM", graph.reshape(x, (embd * self.versions, count, 1, 1)))
        mixes = graph.mul_mat(self.need("output_hc_fn.weight"), flat)
        mixes = graph.mul(mixes, self.need("output_hc_scale.weight"))
        mixes = graph.scale(graph.unary(graph.add(mixes, self.need("output_hc_base.weight"))))

        def share() -> Node:
            return graph.view(mixes, (1, count, 1, 1), self.versions * 4)

        total = graph.mul(first, share())
        for _copy in range(self.versions - 1):
            total = graph.add(total, graph.mul(graph.view(x, (embd, count, 1, 1), row), share()))
        return total

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        graph, index = self.graph, layer.index
        mixes = self.mixes(x, "attn", index)
        cur = graph.op("DSV4_HC_PRE", (self.anatomy.embd, self.tokens, 1, 1), x, self.gate(mixes, "attn", index))
        cur = self.attention(layer, self.norm(cur, "attn_norm", index))
        x = self.joined(cur, x, self.gate(mixes, "attn", index), self.combination(mixes, "attn", index))
        mixes = self.mixes(x, "ffn", index)
        post = graph.expand(self.gate(mixes, "ffn", index))
        combination = graph.expand(self.combination(mixes, "ffn", index))
        cur = graph.op("DSV4_HC_PRE", (self.anatomy.embd, self.tokens, 1, 1), x, self.gate(mixes, "ffn", index))
        cur = self.feed_forward(layer, self.norm(cur, "ffn_norm", index))
        return self.joined(cur, x, post, combination)

    # residual streams

    def mixes(self, x: Node, part: str, index: int) -> Node:
        graph = self.graph
        flat = graph.reshape(x, (self.anatomy.embd * self.versions, self.tokens, 1, 1))
        return graph.mul_mat(self.need(f"hc_{part}_fn.weight", index), graph.same("RMS_NORM", flat))

    def gate(self, mixes: Node, part: str, index: int) -> Node:
        """How much each stream gives or takes."""
        graph = self.graph
        own = graph.view(mixes, (self.versions, self.tokens, 1, 1), mixes.ne[0] * 4)
        own = graph.mul(own, graph.view(self.need(f"hc_{part}_scale.weight", index), (1, 1, 1, 1)))
        own = graph.add(own, graph.view(self.need(f"hc_{part}_base.weight", index), (self.versions, 1, 1, 1)))
        return graph.scale(graph.unary(own))

    def combination(self, mixes: Node, part: str, index: int) -> Node:
        scale, base = self.need(f"hc_{part}_scale.weight", index), self.need(f"hc_{part}_base.weight", index)
        return self.graph.op("DSV4_HC_COMB", (self.versions, self.versions, self.tokens, 1), mixes, scale, base)

    def joined(self, cur: Node, x: Node, post: Node, combination: Node) -> Node:
        return self.graph.op("DSV4_HC_POST", x.ne, cur, x, post, combination)

    # attention

    def attention(self, layer: Layer, x: Node) -> Node:
        graph, index, tokens, width = self.graph, layer.index, self.tokens, layer.key_length
        indexer = int(self.anatomy.get("attention.indexer.key_length", 0))
        if layer.ratio == INDEXED:
            self.compress(layer, x, Compressor("csa", "attn_compressor", width, layer.ratio, 2))
            self.compress(layer, x, Compressor("lid", "indexer_compressor", indexer, layer.ratio, 2))
        elif layer.ratio:
            self.compress(layer, x, Compressor("hca", "attn_compressor", width, layer.ratio, 1))
        compressed = self.norm(self.mm("attn_q_a", x, index), "attn_q_a_norm", index)
        q = graph.reshape(self.mm("attn_q_b", compressed, index), (width, layer.heads, tokens, 1))
        q = self.rotated(graph.rope(graph.same("RMS_NORM", q), self.positions), self.key_rotation("raw"))
        key = self.norm(self.mm("attn_kv", x, index), "attn_kv_a_norm", index)
        key = self.rotated(
            graph.rope(graph.reshape(key, (width, 1, tokens, 1)), self.positions), self.key_rotation("raw")
        )
        graph.expand(q)
        graph.expand(key)
        raw = self.raw_cache(layer)
        where = self.input("raw_cells", (tokens, 1, 1, 1), "i64")
        rows = graph.view(key, (width, tokens, 1, 1))
        graph.expand(graph.write("SET_ROWS", raw, rows, where, self.merged(raw)))
        cur = self.rotated(self.attend_all(layer, q, compressed, x), self.key_rotation("raw"))
        cur = graph.same("ROPE_BACK", graph.reshape(cur, (width, layer.heads, tokens, 1)), self.positions)
        return self.grouped_output(cur, index, width * layer.heads)

    def grouped_output(self, cur: Node, index: int, width: int) -> Node:
        """The output matrix in two steps, the first by groups of heads."""
        graph, tokens = self.graph, self.tokens
        first = self.need("attn_output_a.weight", index)
        groups = int(self.anatomy.get("attention.output_group_count", 1))
        # the file has the groups' matrices below each other, llama.cpp behind each other
        first.ne = (width // groups, self.need("attn_output_b.weight", index).ne[0] // groups, groups, 1)
        cur = graph.reshape(cur, (width // groups, groups, tokens, 1))
        cur = graph.mul_mat(first, graph.permute(cur, (width // groups, tokens, groups, 1)))
        cur = graph.permute(cur, (cur.ne[0], groups, tokens, 1))
        return self.mm("attn_output_b", graph.cont(cur, (cur.ne[0] * groups, tokens, 1, 1)), index)

    @property
    def raw_cells(self) -> int:
        context = self.context
        if self.setting.types.swa_full:
            return context.n_ctx_seq
        return pad(min(context.n_ctx_seq, self.anatomy.window + context.n_ubatch), 256)

    def compressed_cells(self, layer: Layer) -> int:
        return pad(-(-self.context.n_ctx_seq // layer.ratio), 256)

    def own_cache(self, what: str, layer: Layer, width: int, cells: int) -> Node:
        """A cache with a stream for every slot."""
        key = layer.index, f"cache_{what}"
        node = self._weights.get(key)
        if node is None:
            device = self.setting.devices[layer.index] if self.setting.kv_offload else HOST
            kind = self.setting.types.k
            node = self._weights[key] = self.graph.external(
                (width, cells, self.slots, 1), self.graph_type(kind), device
            )
        return node

    def raw_cache(self, layer: Layer) -> Node:
        return self.own_cache("raw", layer, layer.key_length, self.raw_cells)

    def mask_of(self, name: str, cells: int) -> Node:
        return self.input(name, (cells, self.each, 1, self.slots), "f16" if self.setting.flash else "f32")

    def attend_all(self, layer: Layer, q: Node, compressed: Node, x: Node) -> Node:
        graph, width = self.graph, layer.key_length
        raw_cells, slots, each = self.raw_cells, self.slots, self.each
        part = graph.part(q, (width, layer.heads, each, slots))
        query = graph.permute(part, (width, each, layer.heads, slots))
        keys = graph.part(self.raw_cache(layer), (width, 1, raw_cells, slots))
        mask = self.mask_of("raw_mask", raw_cells)
        cells = raw_cells
        if layer.ratio:
            more = self.compressed_cells(layer)
            beyond = graph.part(self.own_cache(self.kind(layer), layer, width, more), (width, 1, more, slots))
            keys = graph.concat(keys, graph.part(beyond, beyond.ne), 2)
            cells += more
            beyond_mask = self.mask_of(f"{self.kind(layer)}_mask", more)
            if layer.ratio == INDEXED:
                beyond_mask = self.best_only(layer, compressed, x, beyond_mask)
            mask = graph.concat(mask, beyond_mask, 0)
        k, v = (graph.permute(keys, (width, cells, 1, slots)) for _copy in range(2))
        sinks = self.need("attn_sinks.weight", layer.index)
        if self.setting.flash:
            k, v = self.for_flash_attention(k), self.for_flash_attention(v)
            node = graph.op("FLASH_ATTN_EXT", (width, layer.heads, each, slots), query, k, v, mask, sinks)
            node.gpu_size = self.attention_bytes(node, k, v)
            node.layer = layer.index
            graph.attention.append(node)
            return graph.expand(graph.reshape(node, (width * layer.heads, self.tokens, 1, 1)))
        scores = graph.mul_mat(k, query)
        scores = graph.op("SOFT_MAX", scores.ne, scores, mask, sinks)
        node = graph.mul_mat(graph.cont(graph.transpose(v)), scores)
        turned = graph.permute(node, (width, layer.heads, each, slots))
        return graph.expand(graph.cont(turned, (width * layer.heads, self.tokens, 1, 1)))

    def kind(self, layer: Layer) -> str:
        return "csa" if layer.ratio == INDEXED else "hca"

    # compression

    def compress(self, layer: Layer, x: Node, compressor: Compressor) -> None:
        """New keys and the kept state become compressed keys, which are stored, and a new state."""
        graph, index = self.graph, layer.index
        name, weights, width, span, overlap = compressor
        states, state_width = compressor.rows * self.slots, width * overlap
        count = self.tokens // span + self.slots
        read = self.input(f"{name}_read", (span * overlap * count, 1, 1, 1), "i32")
        keys = self.mm(f"{weights}_kv", x, index)
        kept_keys, kept_scores = (self.state(f"{name}_{what}", layer, state_width, states) for what in ("kv", "score"))
        key_parts = self.spans(
            graph.part(graph.part(kept_keys, kept_keys.ne), kept_keys.ne), keys, read, compressor, count
        )
        scores = self.mm(f"{weights}_gate", x, index)
        position = self.input(f"{name}_positions", (self.tokens, 1, 1, 1), "i32")
        scores = graph.add(scores, graph.get_rows(self.need(f"{weights}_ape.weight", index), position))
        score_parts = self.spans(
            graph.part(graph.part(kept_scores, kept_scores.ne), kept_scores.ne), scores, read, compressor, count
        )
        mixed = graph.mul(key_parts, graph.same("SOFT_MAX", score_parts))
        summed = graph.op("SUM_ROWS", (1, width, count, 1), mixed)
        result = graph.cont(graph.permute(summed, (width, 1, count, 1)))
        result = self.norm(result, f"{weights}_norm", index)
        result = graph.rope(result, self.input(f"{name}_write_positions", (count, 1, 1, 1), "i32"))
        result = self.rotated(result, self.rotation(width) if name == "lid" else self.key_rotation(name))
        cache = self.own_cache(name, layer, width, self.compressed_cells(layer))
        where = self.input(f"{name}_cells", (count, 1, 1, 1), "i64")
        graph.expand(
            graph.write("SET_ROWS", cache, graph.view(result, (width, count, 1, 1)), where, self.merged(cache))
        )
        persisted = min(states, self.tokens)
        source = self.input(f"{name}_persist_from", (persisted, 1, 1, 1), "i32")
        target = self.input(f"{name}_persist_to", (persisted, 1, 1, 1), "i32")
        for new, kept in ((keys, kept_keys), (scores, kept_scores)):
            view = graph.part(kept, kept.ne)
            graph.expand(graph.write("SET_ROWS", kept, graph.get_rows(new, source), target, view))

    def key_rotation(self, cache: str) -> Node | None:
        """Quantised keys are kept rotated, by a matrix for each kind of cache."""
        side = self.anatomy.layers[0].key_length
        if ggml_type(self.setting.types.k).block_elements == 1:
            return None
        return self.input(f"{cache}_rotation", (side, side, 1, 1))

    def rotation(self, side: int) -> Node:
        return self.input("indexer_rotation", (side, side, 1, 1))

    def state(self, what: str, layer: Layer, width: int, rows: int) -> Node:
        key = layer.index, f"state_{what}"
        node = self._weights.get(key)
        if node is None:
            device = self.setting.devices[layer.index] if self.setting.kv_offload else HOST
            node = self._weights[key] = self.graph.external((width, rows, 1, 1), "f32", device, 4 * width * rows)
        return node

    def spans(self, kept: Node, new: Node, read: Node, compressor: Compressor, count: int) -> Node:
        """Kept and new rows by the spans that become one, `[keys of a span, width, spans]`."""
        graph = self.graph
        width, span = compressor.width, compressor.span
        rows = graph.concat(kept, new, 1)
        if compressor.overlap == 1:
            rows = graph.reshape(graph.get_rows(rows, read), (width, span, count, 1))
            return graph.cont(graph.permute(rows, (span, width, count, 1)))
        wide = rows.ne[0]
        nothing = graph.scale(graph.view(rows, (wide, 1, 1, 1)))
        rows = graph.concat(rows, graph.reshape(nothing, (wide, 1, 1, 1)), 1)
        rows = graph.get_rows(rows, read)
        halves = []
        for _copy in range(2):
            half = graph.cont(graph.view(rows, (width, span * count, 1, 1), wide * 4))
            halves.append(graph.reshape(half, (width, span, count, 1)))
        joined = graph.concat(halves[0], halves[1], 1)
        return graph.cont(graph.permute(joined, (2 * span, width, count, 1)))

    # indexer

    def best_only(self, layer: Layer, compressed: Node, x: Node, common: Node) -> Node:
        """The mask of the compressed keys with all masked but the best."""
        graph, index, slots, each = self.graph, layer.index, self.slots, self.each
        width, heads = (
            self.number("attention.indexer.key_length"),
            self.number("attention.indexer.head_count"),
        )
        cells = common.ne[0]
        count = min(cells, self.number("attention.indexer.top_k"))
        zeros = graph.same("FILL", graph.leaf((1, count, each, slots), common.type, flags=0))
        q = graph.reshape(self.mm("indexer.attn_q_b", compressed, index), (width, heads, self.tokens, 1))
        q = graph.reshape(graph.rope(q, self.positions), (width, heads * self.tokens, 1, 1))
        q = graph.reshape(graph.mul_mat(self.rotation(width), q), (width, heads, self.tokens, 1))
        q = graph.part(q, (width, heads, each, slots))
        k = graph.part(self.own_cache("lid", layer, width, cells), (width, 1, cells, slots))
        weights = graph.scale(self.mm("indexer.proj", x, index))
        weights = graph.part(weights, (heads, each, 1, slots))
        mask = self.input("lid_mask", (cells, each, 1, slots), "f16")
        shape: Shape = (cells, each, 1, slots)
        scores = graph.op("LIGHTNING_INDEXER", shape, q, graph.part(k, k.ne), weights, mask)
        best = graph.integers("TOP_K", (count, each, 1, slots), scores)
        best = graph.integers("CONT", best.ne, best)
        indices = graph.view(best, (count, each, slots, 1))
        filled = graph.same("FILL", common)
        target = graph.view(filled, (1, cells, each, slots))
        written = graph.write("SET_ROWS", target, zeros, indices, target)
        return graph.add(graph.view(written, shape), common)

    # experts

    def feed_forward(self, layer: Layer, x: Node) -> Node:
        graph, index = self.graph, layer.index
        probs = graph.same("SQRT", graph.unary(graph.mul_mat(self.need("ffn_gate_inp.weight", index), x)))
        options = self.expert_options()
        options.update(probs=probs, gating="sigmoid")
        table = self.weight("ffn_gate_tid2eid.weight", index)
        if table is not None:
            used = self.number("expert_used_count")
            tokens = self.input("inp_tokens", (self.tokens, 1, 1, 1), "i32")
            options["selected"] = graph.integers("GET_ROWS", (used, self.tokens, 1, 1), table, tokens)
        cur = self.experts(x, index, **options)
        return graph.add(cur, self.shared_experts(x, index))
