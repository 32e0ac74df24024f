# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gemma 3n: several versions of the residual (AltUp) beside the per-layer embeddings and shared caches."""

from __future__ import annotations

import typing as t

from ...anatomy import Layer
from ..graph import Node
from .gemma4 import PerLayerEmbeddings

# Written in llama.cpp, not in the header: the first blocks keep only the largest activations.
SPARSE_BLOCKS = 10


class Gemma3n(PerLayerEmbeddings):
    """gemma3n. The residual is `[embd, tokens, versions]`; the first version is the active one."""

    def build(self, blocks: t.Sequence[int]) -> None:
        graph, tokens, embd = self.graph, self.tokens, self.anatomy.embd
        self.versions = int(self.anatomy.get("altup.num_inputs", 4))
        x = graph.expand(graph.mul(self.embeddings(), self.input("inp_scale_rows", (1, tokens, 1, 1))))
        rows = graph.reshape(self.per_layer_rows(), (self.per_layer_width, self.anatomy.n_layer, tokens, 1))
        rows = graph.expand(graph.scale(rows))
        self.per_layer = self.projected(x, lambda: rows)
        others = graph.mul_mat(self.need("altup_proj.weight"), graph.repeat(x, (embd, tokens, self.versions - 1, 1)))
        x = graph.concat(x, self.as_large_as(others, x), 2)
        for index in blocks:
            x = self.block(self.anatomy.layers[index], x, False)
        self.output(self.last(self.merged_versions(x)), softcap=True)

    def magnitude(self, x: Node) -> Node:
        graph = self.graph
        return graph.same("SQRT", graph.op("SUM_ROWS", (1, *x.ne[1:]), graph.same("SQR", x)))

    def as_large_as(self, x: Node, target: Node) -> Node:
        graph = self.graph
        return graph.same("DIV", graph.mul(x, self.magnitude(target)), self.magnitude(x))

    def active(self, x: Node) -> Node:
        return self.graph.view(x, (self.anatomy.embd, self.tokens, 1, 1))

    def inactive(self, x: Node) -> Node:
        return self.graph.view(x, (self.anatomy.embd, self.tokens, self.versions - 1, 1))

    def merged_versions(self, x: Node) -> Node:
        """The mean of all versions."""
        graph = self.graph
        total = self.active(x)
        others = graph.mul_mat(self.need("altup_unembd_proj.weight"), self.inactive(x))
        others = self.as_large_as(others, self.active(x))
        for _copy in range(self.versions - 1):
            total = graph.add(total, self.active(others))
        return graph.scale(total)

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        graph, index = self.graph, layer.index
        predictions = self.predicted(x, index)
        prediction = self.active(predictions)
        normed = self.norm(prediction, "attn_norm", index)
        laurel = self.norm(self.mm("laurel_r", self.mm("laurel_l", normed, index), index), "laurel_post_norm", index)
        laurel = graph.add(laurel, normed)
        cur = self.shared_attention(layer, normed, self.rope_factors(index))
        cur = graph.add(self.norm(cur, "post_attention_norm", index), prediction)
        attended = graph.scale(graph.add(cur, laurel))
        cur = self.sparse_feed_forward(self.norm(attended, "ffn_norm", index), index)
        cur = graph.add(self.norm(cur, "post_ffw_norm", index), attended)
        corrected = self.corrected(predictions, cur, index)
        first = graph.mul(self.active(corrected), self.need("altup_correct_scale.weight", index))
        first = graph.mul(graph.unary(self.mm("inp_gate", first, index)), self.of_this_layer())
        first = self.norm(self.mm("proj", first, index), "post_norm", index)
        return graph.concat(self.active(corrected), graph.add(self.inactive(corrected), first), 2)

    def modalities(self, x: Node, index: int) -> Node:
        graph = self.graph
        return graph.unary(self.mm("altup_router", graph.scale(self.norm(x, "altup_router_norm", index)), index))

    def predicted(self, x: Node, index: int) -> Node:
        graph, tokens, embd, versions = self.graph, self.tokens, self.anatomy.embd, self.versions
        coefficients = self.mm("altup_predict_coef", self.modalities(self.active(x), index), index)
        coefficients = graph.reshape(coefficients, (versions, versions, tokens, 1))
        turned = graph.cont(graph.permute(x, (versions, embd, tokens, 1)))
        mixed = graph.permute(graph.mul_mat(turned, coefficients), (embd, tokens, versions, 1))
        return graph.add(graph.cont(mixed), x)

    def corrected(self, predictions: Node, activated: Node, index: int) -> Node:
        graph, tokens, versions = self.graph, self.tokens, self.versions
        innovation = graph.same("SUB", activated, self.active(predictions))
        innovation = graph.repeat(innovation, (self.anatomy.embd, tokens, versions, 1))
        coefficients = self.mm("altup_correct_coef", self.modalities(activated, index), index)
        coefficients = graph.cont(graph.transpose(graph.scale(coefficients)), (1, tokens, versions, 1))
        return graph.add(graph.mul(innovation, coefficients), predictions)

    def sparse_feed_forward(self, x: Node, index: int) -> Node:
        graph = self.graph
        up = self.mm("ffn_up", x, index)
        gate = self.mm("ffn_gate", x, index)
        if index < SPARSE_BLOCKS:
            row = (1, *gate.ne[1:])
            mean = graph.op("MEAN", row, gate)
            squares = graph.same("SQR", graph.same("SUB", gate, mean))
            deviation = graph.same("SQRT", graph.scale(graph.op("SUM_ROWS", row, squares)))
            cutoff = graph.add(mean, graph.scale(deviation))
            gate = graph.unary(graph.same("SUB", gate, cutoff))
        return self.mm("ffn_down", graph.mul(up, graph.unary(gate)), index)
