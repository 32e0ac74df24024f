# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models with Mamba blocks: alone, or between, beside and instead of attention."""

from __future__ import annotations

from ...anatomy import Layer
from ..graph import Node
from .recurrent import Recurrent


class Mamba(Recurrent):
    """mamba2: nothing but Mamba blocks."""

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        cur = self.mamba2(layer, self.norm(x, "attn_norm", layer.index))
        if is_last:
            cur, x = self.last(cur), self.last(x)
        return self.graph.add(cur, x)


class GraniteHybrid(Recurrent):
    """granitehybrid: a block is Mamba 2 or attention, then feed-forward or experts."""

    def attention(self, layer: Layer, x: Node) -> Node:
        return self.mamba2(layer, x) if layer.state else super().attention(layer, x)

    def attends(self, layer: Layer) -> bool:
        return True


class FalconH1(Recurrent):
    """falcon-h1: every block has attention and Mamba 2 beside each other."""

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        graph, index = self.graph, layer.index
        attended = self.attention(layer, self.norm(x, "attn_norm", index))
        mixed = self.mamba2(layer, self.norm(x, "attn_norm", index))
        x = graph.add(graph.add(attended, mixed), x)
        if is_last:
            x = self.last(x)
        return graph.add(self.ffn(self.norm(x, "ffn_norm", index), index), x)


class NemotronH(Recurrent):
    """nemotron_h, nemotron_h_moe: a block is Mamba 2, attention, or feed-forward."""

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        cur = self.norm(x, "attn_norm", layer.index)
        if layer.state:
            cur = self.mamba2(layer, cur)
        elif layer.k_width:
            cur = self.attention(layer, cur)
        else:
            cur = self.feed_forward(layer, cur)
        if is_last:
            cur, x = self.last(cur), self.last(x)
        return self.graph.add(cur, x)

    def feed_forward(self, layer: Layer, x: Node) -> Node:
        """Experts of the larger models work on a narrower stream; router and shared experts on the whole one."""
        index = layer.index
        if self.weight("ffn_latent_down.weight", index) is None:
            return super().feed_forward(layer, x)
        narrow = self.mm("ffn_latent_down", x, index)
        logits = self.mm("ffn_gate_inp", x, index)
        cur = self.experts(narrow, index, logits=logits, **self.expert_options())
        return self.graph.add(self.mm("ffn_latent_up", cur, index), self.shared_experts(x, index))


class Jamba(Recurrent):
    """jamba: a block is Mamba 1 or attention, then feed-forward or experts; the residual is added from the left."""

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        graph, index = self.graph, layer.index
        cur = self.norm(x, "attn_norm", index)
        cur = self.mamba1(layer, cur) if layer.state else self.attention(layer, cur)
        if is_last:
            cur, x = self.last(cur), self.last(x)
        x = graph.add(x, cur)
        return graph.add(x, self.feed_forward(layer, self.norm(x, "ffn_norm", index)))
