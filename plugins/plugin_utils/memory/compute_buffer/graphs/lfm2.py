# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LFM2: short convolutions, and attention in between."""

from __future__ import annotations

from ...anatomy import Layer
from ..graph import Node
from .recurrent import Recurrent


class Lfm2(Recurrent):
    """lfm2, lfm2moe. The residual is added from the left; the last norm is called token_embd_norm."""

    output_norm = "token_embd_norm"

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        graph, index = self.graph, layer.index
        cur = self.norm(x, "attn_norm", index)
        cur = self.short_convolution(layer, cur) if layer.rolling else self.attention(layer, cur)
        if is_last:
            cur, x = self.last(cur), self.last(x)
        x = graph.add(x, cur)
        return graph.add(x, self.feed_forward(layer, self.norm(x, "ffn_norm", index)))

    def short_convolution(self, layer: Layer, x: Node) -> Node:
        graph, index = self.graph, layer.index
        embd, each, slots = self.anatomy.embd, self.each, self.slots
        columns = self.number("shortconv.l_cache") - 1
        rolling = self.state_cache("r", layer, layer.rolling)
        conv = graph.reshape(self.loaded_state(rolling), (columns, embd, slots, 1))
        projected = self.mm("shortconv.in_proj", graph.reshape(x, (embd, each, slots, 1)), index)

        def third() -> Node:
            return graph.view(projected, (embd, each, slots, 1), projected.ne[0] * 4)

        joined = self.convolution_input(conv, graph.mul(third(), third()))
        self.store(self.kept(joined, columns), rolling)
        y = graph.mul(third(), self.convolved(joined, self.need("shortconv.conv.weight", index)))
        out = self.mm("shortconv.out_proj", y, index)
        return graph.reshape(out, (embd, self.tokens, 1, 1))
