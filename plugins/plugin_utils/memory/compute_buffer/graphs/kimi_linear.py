# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kimi Linear: delta attention with a convolution each for Q, K and V, and latent attention without positions between."""

from __future__ import annotations

from ...anatomy import Layer
from ..graph import Node
from .mla import LatentAttention
from .recurrent import Recurrent


class KimiLinear(Recurrent, LatentAttention):
    """kimi-linear."""

    cut_by_reshape = False

    def attends(self, layer: Layer) -> bool:
        return True

    def attention(self, layer: Layer, x: Node) -> Node:
        if not layer.state:
            return LatentAttention.attention(self, layer, x)
        self.graph.expand(x)
        return self.delta_attention(layer, x)

    def turned(self, x: Node) -> Node:
        return x

    def delta_attention(self, layer: Layer, x: Node) -> Node:
        graph, index = self.graph, layer.index
        slots, each, tokens = self.slots, self.each, self.tokens
        kernel, length, heads = self.number("ssm.conv_kernel"), self.number("kda.head_dim"), layer.heads
        width = length * heads
        rolling = self.state_cache("r", layer, layer.rolling)
        saved = self.state_cache("s", layer, layer.state)
        columns = self.loaded_state(rolling)
        joined = [self.one_convolution(name, x, columns, rolling, kernel, width, index) for name in ("q", "k", "v")]
        state = self.loaded_state(saved)

        def mixed(which: int) -> Node:
            weight = self.need(f"ssm_conv1d_{'qkv'[which]}.weight", index)
            kernel_matrix = graph.reshape(weight, (kernel, width, 1, 1))
            out = graph.reshape(self.convolved(joined[which], kernel_matrix), (width, tokens, 1, 1))
            return graph.reshape(graph.unary(out), (length, heads, each, slots))

        q, k = (graph.scale(graph.same("RMS_NORM", mixed(which))) for which in (0, 1))
        v = mixed(2)
        decay = self.mm("ssm_f_b", self.mm("ssm_f_a", x, index), index)
        decay = graph.unary(self.biased(decay, "ssm_dt", index))
        decay = graph.reshape(decay, (length, heads, tokens, 1))
        decay = graph.mul(decay, graph.reshape(self.need("ssm_a", index), (1, heads, 1, 1)))
        decay = graph.reshape(decay, (length, heads, each, slots))
        beta = graph.unary(graph.reshape(self.mm("ssm_beta", x, index), (1, heads, each, slots)))
        state = graph.reshape(state, (length, length, heads, slots))
        result = self.delta_rule(q, k, v, decay, beta, state)
        self.store(graph.view(result, (length, length, heads, slots)), saved, (saved.ne[0] * slots, 1, 1, 1))
        y = graph.cont(graph.part(result, (length, heads, each, slots)))
        y = self.norm(graph.reshape(y, (length, heads, tokens, 1)), "ssm_norm", index)
        flat = graph.reshape(graph.reshape(x, (x.ne[0], each, slots, 1)), (x.ne[0], tokens, 1, 1))
        gate = self.mm("ssm_g_b", self.mm("ssm_g_a", flat, index), index)
        gate = graph.unary(graph.reshape(gate, (length, heads, tokens, 1)))
        y = graph.cont(graph.mul(y, gate), (width, tokens, 1, 1))
        return self.mm("attn_output", y, index)

    def one_convolution(
        self, name: str, x: Node, columns: Node, rolling: Node, kernel: int, width: int, index: int
    ) -> Node:
        graph, slots = self.graph, self.slots
        kept = graph.view(columns, (kernel - 1, width, slots, 1), (kernel - 1) * 4, columns.ne[0] * 4)
        projected = graph.reshape(self.mm(f"attn_{name}", x, index), (width, self.each, slots, 1))
        joined = self.convolution_input(kept, projected)
        self.store(self.kept(joined, kernel - 1), rolling, (kernel - 1, width, slots, 1))
        return joined
