# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocks whose attention and feed-forward read the same norm and are added together: Cohere's models."""

from __future__ import annotations

from ...anatomy import Layer
from ..graph import Node
from .transformer import Transformer


class Parallel(Transformer):
    """command-r and cohere2; in the latter only blocks with a window have rotary embeddings."""

    norm_kind = "NORM"

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        graph, index = self.graph, layer.index
        normed = self.norm(x, "attn_norm", index, "NORM")
        attended = self.attention(layer, normed)
        if is_last:
            attended, x, normed = self.last(attended), self.last(x), self.last(normed)
        return graph.add(graph.add(self.ffn(normed, index), x), attended)

    def rotates(self, layer: Layer) -> bool:
        return layer.windowed or not self.anatomy.window
