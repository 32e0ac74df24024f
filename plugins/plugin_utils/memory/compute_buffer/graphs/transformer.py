# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocks of attention and feed-forward or experts: llama and most others.

What a block has is read from its tensors: norms of Q and K, biases, norms after, gates, shared experts. What tensors do
not tell is in `Recipe`, by architecture.
"""

from __future__ import annotations

import typing as t

from ...anatomy import Anatomy, Layer
from ...placement import HOST
from ..builder import Builder, Setting
from ..graph import OUTPUT, Node


class Recipe(t.NamedTuple):
    """What an architecture does beyond its tensors.

    - `rope`: all, none, windowed (only blocks with a window), windowed_if_any, not_every_4th, finetuned (the header's switch)
    - `norm`: ggml's operation
    - `normed_after_rope`: the norms of Q and K come after the rotation; `plain_norm`: so do norms without weights (llama4)
    - `q_scaled`: Q is scaled; `embedding_scaled`: the embeddings are; `softcap`: the logits are capped, if the header says so
    - `gating`, `before`, `activation`: see `Builder.experts` and `Builder.ffn`
    - `normalised`: the experts' weights sum to one (None: as the header says)
    - `shared_gate`: what is applied to the shared experts' gate
    - `rows_after_norm`: the last block keeps its output rows after its norm
    - `attention_gate`: width of the gate on the attention's result, heads or full
    - `residual_first`: the last addition of a block reads the residual first, which decides whose memory the sum takes
    """

    rope: str = "all"
    norm: str = "RMS_NORM"
    normed_after_rope: bool = False
    plain_norm: bool = False
    q_scaled: bool = False
    gating: str = "header"
    before: bool = False
    normalised: bool | None = True
    shared_gate: str = "sigmoid"
    rows_after_norm: bool = False
    attention_gate: str = ""
    embedding_scaled: bool = False
    softcap: bool = False
    activation: str = "gated"
    residual_first: bool = False


_LLAMA = Recipe()
RECIPES: dict[str, Recipe] = {
    "afmoe": Recipe(rope="windowed", rows_after_norm=True, attention_gate="full", embedding_scaled=True,
                    normalised=None),
    "apertus": Recipe(activation="xielu"),
    "bailingmoe2": Recipe(normalised=None),
    "dots1": Recipe(normalised=None),
    "exaone4": Recipe(rope="windowed_if_any"),
    "gemma": Recipe(embedding_scaled=True, q_scaled=True),
    "gemma2": Recipe(embedding_scaled=True, q_scaled=True, softcap=True),
    "gemma3": Recipe(embedding_scaled=True, q_scaled=True),
    "glm4moe": Recipe(normalised=None),
    "gpt-oss": Recipe(gating="late", normalised=False),
    "hunyuan-dense": Recipe(normed_after_rope=True),
    "hunyuan-moe": Recipe(normed_after_rope=True),
    "llama4": Recipe(rope="windowed", plain_norm=True, gating="sigmoid", before=True, normalised=False),
    "mimo2": Recipe(rows_after_norm=True),
    "olmoe": Recipe(normalised=False),
    "phi3": Recipe(q_scaled=True, residual_first=True),
    "phimoe": Recipe(q_scaled=True, residual_first=True),
    "qwen2moe": Recipe(normalised=False, shared_gate="silu"),
    "smollm3": Recipe(rope="not_every_4th"),
    "command-r": Recipe(norm="NORM"),
    "cohere2": Recipe(norm="NORM"),
    "granite": Recipe(rope="finetuned"),
    "granitehybrid": Recipe(rope="finetuned"),
    "granitemoe": Recipe(rope="finetuned"),
    "jamba": Recipe(rope="none", normalised=False),
    "nemotron_h": Recipe(rope="none", activation="relu_sqr"),
    "nemotron_h_moe": Recipe(rope="none", activation="relu_sqr", gating="sigmoid", normalised=None),
    "deepseek2": Recipe(normalised=None),
    "deepseek32": Recipe(normalised=None),
    "deepseek4": Recipe(normalised=None),
    "glm-dsa": Recipe(normalised=None),
    "kimi-linear": Recipe(normalised=None),
    "minimax-m3": Recipe(normalised=None),
    "starcoder2": Recipe(norm="NORM"),
    "step35": Recipe(attention_gate="heads"),
}  # fmt: skip


class Transformer(Builder):
    """The graph of a model of such blocks."""

    output_norm = "output_norm"

    def __init__(self, anatomy: Anatomy, setting: Setting) -> None:
        super().__init__(anatomy, setting)
        self.recipe = RECIPES.get(anatomy.name, _LLAMA)

    def build(self, blocks: t.Sequence[int]) -> None:
        """Make the graph of these blocks, in this order; the last one keeps only the rows that become outputs."""
        deepstack = int(self.anatomy.get("n_deepstack_layers", 0) or 0)
        embd = self.anatomy.embd
        rows = self.embeddings(embd * (1 + deepstack) if deepstack else None)
        rows = self.graph.view(rows, (embd, self.tokens, 1, 1), rows.ne[0] * 4) if deepstack else rows
        x = self.scaled_embeddings(rows)
        for position, index in enumerate(blocks):
            x = self.block(self.anatomy.layers[index], x, position == len(blocks) - 1)
            if index < deepstack:
                x = self.graph.add(
                    x, self.graph.view(rows, (embd, self.tokens, 1, 1), rows.ne[0] * 4 * (1 + deepstack))
                )
        softcap = self.recipe.softcap and bool(self.anatomy.get("final_logit_softcapping"))
        self.output(x, softcap, self.output_norm, self.recipe.norm)

    def build_drafting(self, blocks: t.Sequence[int]) -> None:
        """A nextn block reads the embedding of a token beside the last hidden state before it."""
        graph = self.graph
        for index in blocks:
            rows = self.drafting_rows(index)
            hidden = self.input("inp_nextn", (self.anatomy.embd, self.tokens, 1, 1))
            rows, hidden = self.norm(rows, "nextn.enorm", index), self.norm(hidden, "nextn.hnorm", index)
            x = self.mm("nextn.eh_proj", graph.concat(rows, hidden, 0), index)
            x = graph.expand(self.block(self.anatomy.layers[index], x, False))
            x.flags |= OUTPUT
            self.drafting_output(self.last(x), index)

    def drafting_rows(self, index: int) -> Node:
        """Embeddings from the block's own matrix, or from the model's."""
        matrix = self.weight("nextn.embed_tokens.weight", index) or self.embedding_on(HOST)
        return self.graph.expand(self.graph.get_rows(matrix, self.input("inp_tokens", (self.tokens, 1, 1, 1), "i32")))

    def drafting_output(self, x: Node, index: int) -> None:
        graph = self.graph
        x = self.norm(x, "nextn.shared_head_norm", index)
        matrix = self.weight("nextn.shared_head_head.weight", index) or self.weight("output.weight")
        x = graph.mul_mat(matrix or self.embedding_on(self.setting.devices[self.anatomy.n_layer]), x)
        x.flags |= OUTPUT
        graph.expand(x)

    def scaled_embeddings(self, x: Node) -> Node:
        """Embeddings as the first block gets them."""
        if self.anatomy.name == "gemma3":
            return self.graph.expand(self.graph.mul(x, self.input("inp_scale_rows", (1, self.tokens, 1, 1))))
        if self.recipe.embedding_scaled or self.anatomy.get("embedding_scale"):
            return self.graph.expand(self.graph.scale(x))
        return x

    def block(self, layer: Layer, x: Node, is_last: bool) -> Node:
        """One block: attention, then feed-forward, each with its norm before or after and added to its input."""
        graph, index, recipe = self.graph, layer.index, self.recipe
        residual = x
        if layer.heads and self.attends(layer):
            cur = self.before(x, "attn_norm", index)
            cur = self.attention(layer, cur)
            if recipe.rows_after_norm:
                cur = self.after_attention(cur, index)
            if is_last:
                cur, residual = self.last(cur), self.last(residual)
            if not recipe.rows_after_norm:
                cur = self.after_attention(cur, index)
            x = graph.add(cur, residual)
        elif is_last:
            x = self.last(x)
        residual = x
        cur = self.before(x, self.ffn_norm_name(index), index)
        cur = self.feed_forward(layer, cur)
        if "post_ffw_norm.weight" in self.anatomy.blocks[index]:
            cur = self.norm(cur, "post_ffw_norm", index)
        if self.anatomy.get("residual_scale"):
            cur = graph.scale(cur)
        return graph.add(residual, cur) if recipe.residual_first else graph.add(cur, residual)

    def attends(self, layer: Layer) -> bool:
        """deci has blocks without attention."""
        tensors = self.anatomy.blocks[layer.index]
        return any(f"attn_{name}.weight" in tensors for name in ("q", "qkv", "q_a"))

    def fused(self, index: int) -> bool:
        return "attn_qkv.weight" in self.anatomy.blocks[index]

    def before(self, x: Node, name: str | None, index: int) -> Node:
        """The norm before a part, where the model has one."""
        if name is None or f"{name}.weight" not in self.anatomy.blocks[index]:
            return x
        return self.norm(x, name, index, self.recipe.norm)

    def ffn_norm_name(self, index: int) -> str | None:
        """post_attention_norm is the feed-forward's norm in some models, and the attention's in those with a norm after."""
        tensors = self.anatomy.blocks[index]
        if "ffn_norm.weight" in tensors:
            return "ffn_norm"
        return None if "post_ffw_norm.weight" in tensors else "post_attention_norm"

    def after_attention(self, cur: Node, index: int) -> Node:
        if (
            self.ffn_norm_name(index) != "post_attention_norm"
            and "post_attention_norm.weight" in self.anatomy.blocks[index]
        ):
            cur = self.norm(cur, "post_attention_norm", index)
        if self.anatomy.get("residual_scale") or self.anatomy.get("attention.value_scale"):
            cur = self.graph.scale(cur)
        return cur

    # attention

    def attention(self, layer: Layer, x: Node) -> Node:
        """Attention up to its output matrix."""
        q, k, v, full = self.projections(layer, x)
        q = self.positioned(layer, q, "attn_q_norm")
        k = self.positioned(layer, k, "attn_k_norm")
        if self.recipe.q_scaled:
            q = self.graph.scale(q)
        if self.recipe.plain_norm and not layer.windowed and self.anatomy.window:
            q = self.graph.mul(q, self.input("inp_attn_scale", (1, 1, self.tokens, 1)))
        cur = self.attend(
            layer,
            q,
            k,
            v,
            sinks=self.weight("attn_sinks.weight", layer.index),
            softcap=bool(self.anatomy.get("attn_logit_softcapping")),
            keys_first=self.anatomy.window > 0,
        )
        return self.mm("attn_output", self.gated(layer, cur, x, full), layer.index)

    def projections(self, layer: Layer, x: Node) -> tuple[Node, Node, Node, Node]:
        """Q, K and V as [head length, heads, tokens], and the whole that Q is a part of."""
        graph, tokens, index = self.graph, self.tokens, layer.index
        length, heads, kv_heads = layer.key_length, layer.heads, layer.kv_heads
        if self.fused(index):
            whole = self.mm("attn_qkv", x, index)
            row = whole.ne[0] * 4
            return (
                graph.view(whole, (length, heads, tokens, 1), length * 4, row),
                graph.view(whole, (length, kv_heads, tokens, 1), length * 4, row),
                graph.view(whole, (layer.value_length, kv_heads, tokens, 1), layer.value_length * 4, row),
                whole,
            )
        q = self.mm("attn_q", x, index)
        return (
            self.split_heads("attn_q_norm", index, q, length, heads),
            self.split_heads("attn_k_norm", index, self.mm("attn_k", x, index), length, kv_heads),
            graph.reshape(self.mm("attn_v", x, index), (layer.value_length, kv_heads, tokens, 1)),
            q,
        )

    def split_heads(self, norm: str, index: int, x: Node, length: int, heads: int) -> Node:
        """Reshape to heads; a norm as wide as all heads together comes before."""
        tensor = self.anatomy.blocks[index].get(f"{norm}.weight")
        if tensor is not None and tensor.shape[0] == length * heads and tensor.shape[0] != length:
            x = self.norm(x, norm, index)
        return self.graph.reshape(x, (length, heads, self.tokens, 1))

    def positioned(self, layer: Layer, x: Node, norm: str) -> Node:
        """Q or K with its norm and its rotation."""
        tensor = self.anatomy.blocks[layer.index].get(f"{norm}.weight")
        per_head = tensor is not None and (tensor.shape[0] == x.ne[0] or len(tensor.shape) > 1)
        rotates = self.rotates(layer)
        if per_head and not self.recipe.normed_after_rope:
            x = self.norm(x, norm, layer.index)
        if rotates:
            x = self.graph.rope(x, self.positions, self.factors(layer))
            if self.recipe.plain_norm:
                x = self.graph.same("RMS_NORM", x)
        if per_head and self.recipe.normed_after_rope:
            x = self.norm(x, norm, layer.index)
        return x

    def rotates(self, layer: Layer) -> bool:
        rule = self.recipe.rope
        if rule == "finetuned":
            return bool(self.anatomy.get("rope.scaling.finetuned", True))
        if rule == "windowed_if_any":
            return layer.windowed or not self.anatomy.window
        if rule == "windowed":
            return layer.windowed
        if rule == "not_every_4th":
            return (layer.index + 1) % 4 != 0
        return rule != "none"

    def factors(self, layer: Layer) -> Node | None:
        if self.anatomy.name == "step35" and layer.windowed:
            return None
        return self.rope_factors(layer.index)

    def gated(self, layer: Layer, cur: Node, x: Node, full: Node) -> Node:
        """The attention's result times a gate made of its input."""
        graph = self.graph
        if not self.recipe.attention_gate:
            return cur
        gate = graph.unary(self.mm("attn_gate", x, layer.index))
        if self.recipe.attention_gate == "full":
            return graph.mul(cur, gate)
        heads = gate.ne[0]
        shape = (cur.ne[0] // heads, heads, self.tokens, 1)
        product = graph.mul(graph.reshape(cur, shape), graph.reshape(gate, (1, heads, self.tokens, 1)))
        return graph.reshape(product, cur.ne)

    # feed-forward

    def feed_forward(self, layer: Layer, x: Node) -> Node:
        """Dense, or experts with what is shared between them."""
        index = layer.index
        if "ffn_gate_inp.weight" not in self.anatomy.blocks[index]:
            return self.ffn(x, index, activation=self.recipe.activation)
        cur = self.experts(x, index, **self.expert_options())
        if self.weight("ffn_up_shexp.weight", index) is None:
            return cur
        return self.graph.add(cur, self.shared_experts(x, index))

    def expert_options(self) -> dict[str, t.Any]:
        recipe = self.recipe
        gating = recipe.gating
        if gating == "header":
            gating = "sigmoid" if self.anatomy.get("expert_gating_func") == 2 else "softmax"
        normalised = recipe.normalised
        if normalised is None:
            normalised = bool(self.anatomy.get("expert_weights_norm"))
        scale = self.anatomy.get("expert_weights_scale")
        return {
            "gating": gating,
            "normalised": normalised,
            "scaled": bool(scale) and scale != 1.0,
            "before": recipe.before,
            "activation": recipe.activation,
        }

    def shared_experts(self, x: Node, index: int) -> Node:
        graph = self.graph
        cur = self.ffn(x, index, "_shexp", self.recipe.activation)
        if self.weight("ffn_gate_inp_shexp.weight", index) is None:
            return cur
        gate = self.mm("ffn_gate_inp_shexp", x, index)
        if self.recipe.shared_gate == "silu":
            gate = graph.same("DIV", graph.unary(gate), gate)
        else:
            gate = graph.unary(gate)
        return graph.mul(cur, gate)
