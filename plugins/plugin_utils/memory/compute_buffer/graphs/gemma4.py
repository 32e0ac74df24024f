# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gemma 4: caches shared between blocks, per-layer embeddings, and experts beside a dense feed-forward."""

from __future__ import annotations

import typing as t

from ...anatomy import Anatomy, Layer
from ..builder import Setting
from ..graph import Node
from .transformer import Transformer


class PerLayerEmbeddings(Transformer):
    """What gemma4's small models and gemma3n share: Q, K and V all normed, and an embedding for every block."""

    def __init__(self, anatomy: Anatomy, setting: Setting) -> None:
        super().__init__(anatomy, setting)
        self.per_layer_width = int(anatomy.get("embedding_length_per_layer_input", 0))
        self.per_layer: Node | None = None

    def shared_attention(self, layer: Layer, x: Node, factors: Node | None) -> Node:
        """Attention up to the output matrix; blocks without a cache of their own have no K and V."""
        graph, index, tokens = self.graph, layer.index, self.tokens
        length, kv_heads = layer.key_length, layer.kv_heads
        q = graph.reshape(self.mm("attn_q", x, index), (length, layer.heads, tokens, 1))
        q = graph.rope(self.norm(q, "attn_q_norm", index), self.positions, factors)
        k = v = None
        if layer.cache_layer == index:
            keys = self.mm("attn_k", x, index)
            # without a matrix of their own the values are the keys before their norm
            values = keys if self.weight("attn_v.weight", index) is None else self.mm("attn_v", x, index)
            k = graph.reshape(keys, (length, kv_heads, tokens, 1))
            k = graph.rope(self.norm(k, "attn_k_norm", index), self.positions, factors)
            v = graph.same("RMS_NORM", graph.reshape(values, (layer.value_length, kv_heads, tokens, 1)))
        cur = self.attend(layer, q, k, v, keys_first=True)
        return self.mm("attn_output", cur, index)

    def per_layer_rows(self) -> Node:
        """The rows of the per-layer embeddings, which lie on the host."""
        ids = self.input("per_layer_tokens", (self.tokens, 1, 1, 1), "i32")
        return self.graph.get_rows(self.need("per_layer_token_embd.weight"), ids)

    def projected(self, x: Node, rows: t.Callable[[], Node]) -> Node:
        """The per-layer inputs of all blocks, `[width, tokens, blocks]`."""
        graph, tokens, width, count = self.graph, self.tokens, self.per_layer_width, self.anatomy.n_layer
        cur = graph.scale(self.mm("per_layer_model_proj", x))
        cur = graph.reshape(cur, (width, count, tokens, 1))
        cur = self.norm(cur, "per_layer_proj_norm", -1)
        cur = graph.scale(graph.add(cur, rows()))
        return graph.cont(graph.permute(cur, (width, tokens, count, 1)))

    def of_this_layer(self) -> Node:
        return self.graph.view(t.cast(Node, self.per_layer), (self.per_layer_width, self.tokens, 1, 1))


class Gemma4(PerLayerEmbeddings):
    """gemma4."""

    def build(self, blocks: t.Sequence[int]) -> None:
        graph = self.graph
        rows = None
        if self.per_layer_width:
            rows = graph.expand(self.per_layer_rows())
        x = graph.expand(graph.mul(self.embeddings(), self.input("inp_scale_rows", (1, self.tokens, 1, 1))))
        if rows is not None:
            selected = rows
            self.per_layer = self.projected(x, lambda: self.scaled_rows(selected))
        for position, index in enumerate(blocks):
            x = self.block(self.anatomy.layers[index], x, position == len(blocks) - 1)
        self.output(x, softcap=bool(self.anatomy.get("final_logit_softcapping")))

    def scaled_rows(self, rows: Node) -> Node:
        return self.graph.reshape(self.graph.scale(rows), (self.per_layer_width, self.anatomy.n_layer, self.tokens, 1))

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        graph, index = self.graph, layer.index
        factors = None if layer.windowed else self.rope_factors(index)
        cur = self.shared_attention(layer, self.norm(x, "attn_norm", index), factors)
        if is_last:
            cur, x = self.last(cur), self.last(x)
        attended = graph.add(self.norm(cur, "post_attention_norm", index), x)
        cur = self.norm(self.mixed_feed_forward(attended, index), "post_ffw_norm", index)
        cur = graph.add(cur, attended)
        if self.per_layer is not None:
            cur = self.with_per_layer(cur, index, is_last)
        scale = self.weight("layer_output_scale.weight", index)
        return cur if scale is None else graph.mul(cur, scale)

    def with_per_layer(self, cur: Node, index: int, is_last: bool) -> Node:
        graph = self.graph
        gate = graph.unary(self.mm("inp_gate", cur, index))
        own = self.of_this_layer()
        if is_last:
            own = self.last(own)
        added = self.norm(self.mm("proj", graph.mul(gate, own), index), "post_norm", index)
        return graph.add(cur, added)

    def mixed_feed_forward(self, x: Node, index: int) -> Node:
        """A dense feed-forward, and experts beside it in the models that have them."""
        graph = self.graph
        if self.weight("ffn_gate_inp.weight", index) is None:
            return self.ffn(self.norm(x, "ffn_norm", index), index)
        router = graph.mul(graph.scale(graph.same("RMS_NORM", x)), self.need("ffn_gate_inp.scale", index))
        logits = graph.mul_mat(self.need("ffn_gate_inp.weight", index), router)
        experts = self.experts(self.norm(x, "pre_ffw_norm_2", index), index, logits=logits, normalised=True)
        dense = self.norm(self.ffn(self.norm(x, "ffn_norm", index), index), "post_ffw_norm_1", index)
        return graph.add(dense, self.norm(experts, "post_ffw_norm_2", index))
