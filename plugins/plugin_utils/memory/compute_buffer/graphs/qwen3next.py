# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Qwen3-Next and Qwen3.5: gated delta nets, and every few blocks gated attention."""

from __future__ import annotations

from ...anatomy import Layer
from ..graph import Node
from .recurrent import Recurrent


class Qwen3Next(Recurrent):
    """qwen3next, qwen35, qwen35moe."""

    def attention(self, layer: Layer, x: Node) -> Node:
        self.graph.expand(x)
        return self.delta_net(layer, x) if layer.state else self.gated_attention(layer, x)

    def gated_attention(self, layer: Layer, x: Node) -> Node:
        """The query's matrix gives the gate as well, head by head."""
        graph, index, tokens = self.graph, layer.index, self.tokens
        length, heads = layer.key_length, layer.heads
        both = self.mm("attn_q", x, index)
        if self.anatomy.name == "qwen3next":
            both = graph.reshape(both, (2 * length, heads, tokens, 1))
        q = graph.view(both, (length, heads, tokens, 1), 8 * length, 8 * length * heads)
        k = graph.reshape(self.mm("attn_k", x, index), (length, layer.kv_heads, tokens, 1))
        v = graph.reshape(self.mm("attn_v", x, index), (layer.value_length, layer.kv_heads, tokens, 1))
        q, k = self.positioned(layer, q, "attn_q_norm"), self.positioned(layer, k, "attn_k_norm")
        cur = self.attend(layer, q, k, v)
        gate = graph.cont(graph.view(both, (length, heads, tokens, 1), 8 * length, 8 * length * heads), cur.ne)
        return self.mm("attn_output", graph.mul(cur, graph.unary(gate)), index)

    def delta_net(self, layer: Layer, x: Node) -> Node:
        graph, index = self.graph, layer.index
        slots, each = self.slots, self.each
        kernel, inner = self.number("ssm.conv_kernel"), self.number("ssm.inner_size")
        length, key_heads = self.number("ssm.state_size"), self.number("ssm.group_count")
        heads = self.number("ssm.time_step_rank")
        width = inner + 2 * key_heads * length
        rolling = self.state_cache("r", layer, layer.rolling)
        saved = self.state_cache("s", layer, layer.state)
        conv = graph.reshape(self.loaded_state(rolling), (kernel - 1, width, slots, 1))
        mixed = graph.reshape(self.mm("attn_qkv", x, index), (width, each, slots, 1))
        joined = self.convolution_input(conv, mixed)
        self.store(self.kept(joined, kernel - 1), rolling)
        state = self.loaded_state(saved)
        mixed = graph.unary(self.convolved(joined, self.need("ssm_conv1d.weight", index)))

        def part(count: int) -> Node:
            return graph.view(mixed, (length, count, each, slots), length * 4, width * 4)

        q, k = (self.spread(self.unit(part(key_heads)), heads) for _copy in range(2))
        v = part(heads)
        decay, beta = self.gates(layer, x, heads)
        state = graph.reshape(state, (length, length, heads, slots))
        result = self.delta_rule(q, k, v, decay, beta, state)
        self.store(graph.view(result, (length, length, heads, slots)), saved)
        y = self.norm(graph.view(result, (length, heads, each, slots)), "ssm_norm", index)
        gate = graph.reshape(self.mm("attn_gate", x, index), (length, heads, each, slots))
        y = graph.reshape(graph.mul(y, graph.unary(gate)), (inner, each, slots, 1))
        out = self.mm("ssm_out", y, index)
        return graph.reshape(out, (out.ne[0], self.tokens, 1, 1))

    def unit(self, x: Node) -> Node:
        """Rows of length 1, made with the other norm."""
        return self.graph.scale(self.graph.same("RMS_NORM", x))

    def spread(self, x: Node, heads: int) -> Node:
        """qwen3next repeats the keys' heads to the values' number; later models leave that to the delta rule."""
        length, key_heads, each, slots = x.ne
        if self.anatomy.name != "qwen3next" or key_heads == heads:
            return x
        graph = self.graph
        flat = graph.reshape(x, (length, 1, key_heads, each * slots))
        repeated = graph.repeat(flat, (length, heads // key_heads, key_heads, each * slots))
        return graph.reshape(repeated, (length, heads, each, slots))

    def gates(self, layer: Layer, x: Node, heads: int) -> tuple[Node, Node]:
        """The decay and the strength of each head and token."""
        graph, index = self.graph, layer.index
        each, slots = self.each, self.slots
        if self.weight("ssm_ba.weight", index) is not None:
            key_heads = self.number("ssm.group_count")
            both = self.mm("ssm_ba", x, index)
            ratio = heads // key_heads
            both = graph.reshape(both, (2 * ratio, key_heads, each, slots))
            row = both.ne[0] * 4
            decay = graph.cont(graph.view(both, (ratio, key_heads, each, slots), row), (heads, each, slots, 1))
            beta = graph.unary(graph.view(both, (ratio, key_heads, each, slots), row))
            beta = graph.reshape(beta, (1, heads, each, slots))
        else:
            decay = graph.reshape(self.mm("ssm_alpha", x, index), (heads, each, slots, 1))
            beta = graph.unary(graph.reshape(self.mm("ssm_beta", x, index), (1, heads, each, slots)))
        decay = graph.unary(self.biased(decay, "ssm_dt", index))
        decay = graph.reshape(graph.mul(decay, self.need("ssm_a", index)), (1, heads, each, slots))
        return decay, beta
