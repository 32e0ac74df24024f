# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts that all graphs are made of: inputs, weights, caches, norms, feed-forward, experts, attention, output.

Each method is one of llama.cpp's `llm_graph_context::build_*` (`src/llama-graph.cpp`, 0.7.0), reduced to shapes.
"""

from __future__ import annotations

import math
import typing as t

from ....module_utils.ggml_types import ggml_type, tensor_bytes
from ...model.model import Tensor
from ..adapters import Adapters
from ..alignment import cuda_bytes
from ..anatomy import Anatomy, Layer
from ..context import Context
from ..kv_cache import CacheTypes, cells_of
from ..placement import HOST
from ..refusals import UnknownModel
from ..weights import NO_OVERRIDES, Overrides, device_of, device_outside_blocks
from .graph import OUTPUT, Graph, Node, Shape

# Quantised caches are rotated by Hadamard matrices: of this many elements for V and at least for K.
ROTATION = 64


class Setting(t.NamedTuple):
    """Everything of a launch that shapes its graph. `devices`: of each block and the output; `n_gpus` GPUs.

    `copies` of the inputs (4 with pipeline parallelism). `flash`: with flash attention. `probe`: the graph of one token
    per slot, by which llama.cpp decides on flash attention. `adapters`: LoRA. `cache_copies`: flash attention
    has f16 copies of another cache beside it.
    """

    context: Context
    types: CacheTypes
    devices: tuple[int, ...]
    n_gpus: int
    overrides: Overrides = NO_OVERRIDES
    op_offload: bool = True
    kv_offload: bool = True
    copies: int = 1
    flash: bool = True
    probe: bool = False
    adapters: Adapters | None = None
    cache_copies: bool = True


class AttentionInput(t.NamedTuple):
    """The inputs that all blocks on one cache share: mask, cells to write to, rotations."""

    mask: Node
    k_cells: Node
    v_cells: Node
    k_rotation: Node | None
    v_rotation: Node | None


class Builder:
    """Makes the graph of one model for one launch; a family's builder adds its blocks."""

    def __init__(self, anatomy: Anatomy, setting: Setting) -> None:
        self.anatomy = anatomy
        self.setting = setting
        self.graph = Graph(setting.n_gpus)
        self.context = setting.context
        self.tokens = setting.context.n_seqs if setting.probe else setting.context.n_tokens
        self.cpu = setting.n_gpus
        self._weights: dict[tuple[int, str], Node] = {}
        self._inputs: dict[t.Any, t.Any] = {}

    def build(self, blocks: t.Sequence[int]) -> None:
        """Make the graph of these blocks, in this order."""
        raise NotImplementedError

    def build_drafting(self, blocks: t.Sequence[int]) -> None:
        """Make the graph that drafts tokens with these nextn blocks."""
        raise UnknownModel(f"spec_type: how {self.anatomy.name} drafts tokens with its own blocks is not known")

    def tensors(self) -> int:
        """How many tensors the graph has, with the weights and caches it reads."""
        return len(self.graph.nodes) + len(self.graph.leaves) + len(self._weights)

    # what is there already

    def weight(self, name: str, layer: int = -1) -> Node | None:
        """The tensor `name` of a block (or outside blocks), None when the model has none."""
        anatomy = self.anatomy
        tensor = anatomy.blocks[layer].get(name) if layer >= 0 else anatomy.globals.get(name)
        if tensor is None:
            return None
        key = layer, name
        node = self._weights.get(key)
        if node is None:
            node = self._weights[key] = self._external(tensor, self._device(name, layer))
        return node

    def need(self, name: str, layer: int = -1) -> Node:
        """The tensor `name`, which this kind of model always has.

        :raises UnknownModel: this one does not.
        """
        node = self.weight(name, layer)
        if node is None:
            where = f"blk.{layer}.{name}" if layer >= 0 else name
            raise UnknownModel(
                f"model {self.anatomy.model.id}: there is no tensor '{where}', as {self.anatomy.name} has"
            )
        return node

    def number(self, key: str) -> int:
        """The value of a key that this kind of model always has.

        :raises UnknownModel: this one does not.
        """
        value = self.anatomy.get(key)
        if not isinstance(value, int) or value <= 0:
            name = self.anatomy.name
            raise UnknownModel(f"model {self.anatomy.model.id}: the header has no '{name}.{key}', a positive number")
        return value

    def _device(self, name: str, layer: int) -> int:
        devices = self.setting.devices
        if layer < 0:
            return device_outside_blocks(name, devices)
        return device_of(self.anatomy, layer, name, devices[layer], self.setting.overrides)

    def _external(self, tensor: Tensor, device: int) -> Node:
        ne = t.cast(Shape, (*tensor.shape, 1, 1, 1)[:4])
        size = tensor_bytes(tensor.type, tensor.shape)
        return self.graph.external(
            ne, self.graph_type(tensor.type), device, size, cuda_bytes(size, tensor.type, ne[0]), weight=True
        )

    def embedding_on(self, device: int) -> Node:
        """The token embeddings on a device: the host's own, or the copy that serves as output matrix."""
        key = -2 - device, "token_embd.weight"
        node = self._weights.get(key)
        if node is None:
            node = self._weights[key] = self._external(self.anatomy.globals["token_embd.weight"], device)
        return node

    def rope_factors(self, layer: int) -> Node | None:
        """The factors of the rotary embedding, on the block's own device."""
        shared = self.anatomy.globals
        name = "rope_freqs.weight" if "rope_freqs.weight" in shared else self._long_or_short()
        tensor = shared.get(name) if name else None
        if tensor is None:
            return None
        device = self.setting.devices[layer]
        key = -2 - device, "rope"
        node = self._weights.get(key)
        if node is None:
            node = self._weights[key] = self._external(tensor, device)
        return node

    def _long_or_short(self) -> str | None:
        if "rope_factors_long.weight" not in self.anatomy.globals:
            return None
        original = self.anatomy.get("rope.scaling.original_context_length", 0)
        return "rope_factors_long.weight" if self.context.n_ctx_seq > original else "rope_factors_short.weight"

    def input(self, name: str, ne: Shape, type: str = "f32") -> Node:
        """The input `name`, made at its first use."""
        node = self._inputs.get(name)
        if node is None:
            node = self._inputs[name] = self.graph.leaf(ne, type)
        return node

    @property
    def positions(self) -> Node:
        sections = self.anatomy.get("rope.dimension_sections")
        return self.input("inp_pos", (self.tokens * (4 if sections else 1), 1, 1, 1), "i32")

    @property
    def out_ids(self) -> Node:
        known = self._inputs.get("out_ids")
        if known is None:
            context = self.context
            known = self._inputs["out_ids"] = self.graph.leaf((context.n_outputs, 1, 1, 1), "i32")
            # room for the drafted tokens of every slot
            known.size = known.gpu_size = max(known.size, 4 * context.n_seqs * (1 + context.drafted))
        return known

    # embeddings

    def embeddings(self, width: int | None = None) -> Node:
        """The rows of the embedding matrix for the batch. Three ways to fill them are in the graph, one is run."""
        graph, tokens = self.graph, self.tokens
        matrix = self.embedding_on(HOST)
        embd = self.anatomy.embd
        wide = width or embd

        def rows(name: str) -> Node:
            return graph.expand(graph.get_rows(matrix, self.input(name, (tokens, 1, 1, 1), "i32")))

        def widened(x: Node) -> Node:
            return x if wide == embd else graph.op("PAD", (wide, tokens, 1, 1), x)

        plain, mixed = rows("inp_tokens"), rows("inp_mixed_tokens")
        plain = graph.expand(widened(plain))
        graph.expand(self.input("inp_embd", (wide, tokens, 1, 1)))
        filled = graph.same("DUP", self.input("inp_mixed_embd", (wide, tokens, 1, 1)))
        slots = self.input("inp_mixed_slots", (tokens, 1, 1, 1), "i64")
        graph.expand(graph.write("SET_ROWS", filled, widened(mixed), slots, filled))
        return plain

    # norms and matrices

    def norm(self, x: Node, name: str | None, layer: int, kind: str = "RMS_NORM") -> Node:
        """A norm with its weight and bias, if the model has them; `name` is without `.weight`."""
        node = self.graph.same(kind, x)
        if name is None:
            return node
        weight = self.weight(f"{name}.weight", layer) or self.weight(name, layer)
        if weight is not None:
            node = self.graph.mul(node, weight)
        return self.biased(node, name, layer)

    def mm(self, name: str, x: Node, layer: int = -1) -> Node:
        """A matrix times `x`, with its bias if the model has one; `name` is without `.weight`."""
        graph = self.graph
        result = graph.mul_mat(self.need(f"{name}.weight", layer), x)
        for first, second in self.adapted(f"{name}.weight", layer):
            result = graph.add(result, graph.scale(graph.mul_mat(second, graph.mul_mat(first, x))))
        return self.biased(result, name, layer)

    def adapted(self, name: str, layer: int) -> t.Iterator[tuple[Node, Node]]:
        """The LoRA adapters' matrices for one of the model's. To the scheduler they are no weights: their neighbours decide."""
        adapters = self.setting.adapters
        for number, pair in enumerate(() if adapters is None else adapters.of(layer, name)):
            nodes = []
            for tensor in pair:
                key = layer, f"{tensor.name} {number}"
                node = self._weights.get(key)
                if node is None:
                    node = self._weights[key] = self._external(tensor, self._device(name, layer))
                    node.weight = False
                nodes.append(node)
            yield nodes[0], nodes[1]

    def biased(self, x: Node, name: str, layer: int) -> Node:
        bias = self.weight(f"{name}.bias", layer)
        return x if bias is None else self.graph.add(x, bias)

    def last(self, x: Node) -> Node:
        """The rows that become outputs."""
        return self.graph.get_rows(x, self.out_ids)

    # feed-forward

    def ffn(self, x: Node, layer: int, suffix: str = "", activation: str = "gated") -> Node:
        """A dense feed-forward; `suffix` _shexp for shared experts."""
        graph = self.graph
        if self.weight(f"ffn_gate{suffix}.weight", layer) is not None:
            up = self.mm(f"ffn_up{suffix}", x, layer)
            hidden = graph.glu(self.mm(f"ffn_gate{suffix}", x, layer), up)
        else:
            hidden = self.mm(f"ffn_up{suffix}", x, layer)
            hidden = self.activated(hidden, activation, self.need(f"ffn_down{suffix}.weight", layer).ne[0])
        return self.mm(f"ffn_down{suffix}", hidden, layer)

    def activated(self, hidden: Node, activation: str, width: int) -> Node:
        """The activation of a feed-forward without a gate matrix."""
        graph = self.graph
        if hidden.ne[0] == 2 * width:
            return graph.glu_halves(hidden)
        hidden = graph.unary(hidden)
        return graph.same("SQR", hidden) if activation == "relu_sqr" else hidden

    def experts(
        self,
        x: Node,
        layer: int,
        *,
        gating: str = "softmax",
        normalised: bool = False,
        scaled: bool = False,
        before: bool = False,
        activation: str = "gated",
        router_input: Node | None = None,
        logits: Node | None = None,
        probs: Node | None = None,
        selected: Node | None = None,
    ) -> Node:
        """Routed experts. `gating`: softmax, sigmoid, or late (softmax over the chosen). `before`: weighted at the input.

        `router_input`, `logits`, `probs`, `selected`: where a family makes these itself.
        """
        graph = self.graph
        used = self.number("expert_used_count")
        tokens = x.ne[1]
        if probs is None:
            if logits is None:
                logits = graph.mul_mat(self.need("ffn_gate_inp.weight", layer), router_input or x)
                logits = self.biased(logits, "ffn_gate_inp", layer)
            if gating == "late":
                probs = logits
            elif gating == "softmax":
                probs = graph.same("SOFT_MAX", logits)
            else:
                probs = graph.unary(logits)
        count = probs.ne[0]
        choice = self.biased(probs, "exp_probs_b", layer)
        if before:
            choice = t.cast(Node, logits)
        groups = int(self.anatomy.get("expert_group_count", 0) or 0)
        if selected is None:
            if groups > 1 and tokens > 0 and self.anatomy.get("expert_group_used_count"):
                choice = self._grouped(choice, count, groups, tokens)
            ranked = graph.integers("ARGSORT", choice.ne, choice)
            selected = graph.view(ranked, (used, tokens, 1, 1), 4 * count)
        weights = graph.get_rows(graph.reshape(probs, (1, count, tokens, 1)), selected)
        if gating == "late":
            weights = graph.reshape(weights, (used, tokens, 1, 1))
            weights = graph.reshape(graph.same("SOFT_MAX", weights), (1, used, tokens, 1))
        if normalised:
            weights = graph.reshape(weights, (used, tokens, 1, 1))
            total = graph.same("CLAMP", graph.op("SUM_ROWS", (1, tokens, 1, 1), weights))
            weights = graph.reshape(graph.same("DIV", weights, total), (1, used, tokens, 1))
        if scaled:
            weights = graph.scale(weights)
        graph.expand(weights)
        return self.expert_matrices(x, weights, selected, layer, used, before, activation)

    def _grouped(self, choice: Node, count: int, groups: int, tokens: int) -> Node:
        """Choose among groups of experts first, by the sum of each group's two best."""
        graph = self.graph
        each = count // groups
        chosen_groups = int(self.anatomy.get("expert_group_used_count", 1))
        grouped = graph.reshape(choice, (each, groups, tokens, 1))
        flat = graph.reshape(grouped, (1, each, groups, tokens))
        best = graph.view(graph.integers("ARGSORT", grouped.ne, grouped), (2, groups, tokens, 1), 4 * each)
        sums = graph.get_rows(flat, best)
        sums = graph.op("SUM_ROWS", (1, groups, tokens, 1), graph.reshape(sums, (2, groups, tokens, 1)))
        sums = graph.reshape(sums, (groups, tokens, 1, 1))
        ranked = graph.integers("ARGSORT", sums.ne, sums)
        top = graph.view(ranked, (chosen_groups, tokens, 1, 1), 4 * groups)
        kept = graph.get_rows(grouped, top)
        nothing = graph.same("FILL", grouped)
        return graph.reshape(graph.write("SET_ROWS", nothing, kept, top, nothing), (count, tokens, 1, 1))

    def expert_matrices(
        self, x: Node, weights: Node, selected: Node, layer: int, used: int, before: bool, activation: str
    ) -> Node:
        """The experts' own matrices, and the weighted sum of what they give."""
        graph = self.graph
        width, tokens = x.ne[0], x.ne[1]
        x = graph.reshape(x, (width, 1, tokens, 1))
        if before:
            x = graph.mul(graph.repeat(x, (width, used, tokens, 1)), weights)

        def matrix(name: str, operand: Node) -> Node:
            result = graph.mul_mat_id(self.need(f"{name}.weight", layer), operand, selected)
            for first, second in self.adapted(f"{name}.weight", layer):
                inner = graph.mul_mat_id(first, operand, selected)
                result = graph.add(result, graph.scale(graph.mul_mat_id(second, inner, selected)))
            bias = self.weight(f"{name}.bias", layer)
            return result if bias is None else graph.same("ADD_ID", result, bias, selected)

        if self.weight("ffn_gate_up_exps.weight", layer) is not None:
            both = matrix("ffn_gate_up_exps", x)
            half = both.ne[0] // 2
            gate = graph.view(both, (half, used, tokens, 1), both.ne[0] * 4)
            up = graph.view(both, (half, used, tokens, 1), both.ne[0] * 4)
            hidden = graph.op("GLU", (half, used, tokens, 1), gate, up)
        elif self.weight("ffn_gate_exps.weight", layer) is not None:
            up = matrix("ffn_up_exps", x)
            hidden = graph.glu(matrix("ffn_gate_exps", x), up)
        else:
            hidden = self.activated(
                matrix("ffn_up_exps", x), activation, self.need("ffn_down_exps.weight", layer).ne[0]
            )
        down = matrix("ffn_down_exps", hidden)
        scales = self.weight("ffn_down_exps.scale", layer)
        if scales is not None:
            count = scales.ne[0]
            repeated = graph.repeat(graph.reshape(scales, (1, count, 1, 1)), (1, count, tokens, 1))
            down = graph.mul(down, graph.get_rows(repeated, selected))
        if not before:
            down = graph.mul(down, weights)
        graph.expand(down)
        out = down.ne[0]
        parts = [graph.expand(graph.view(down, (out, tokens, 1, 1), 4 * out * used)) for _copy in range(used)]
        total = parts[0]
        for part in parts[1:]:
            total = graph.expand(graph.add(total, part))
        return graph.cont(total) if used == 1 else total

    # attention

    def attention_input(self, windowed: bool) -> AttentionInput:
        """The inputs of the blocks with, or without, a sliding window."""
        known = self._inputs.get(("attention", windowed))
        if known is None:
            known = self._inputs["attention", windowed] = self._attention_input(windowed)
        return known

    @property
    def widest_v(self) -> int:
        """Elements of V per cell and block where V is stored transposed: as many in all blocks."""
        return max((layer.v_width for layer in self.anatomy.layers), default=1)

    def cells(self, windowed: bool) -> int:
        """Cells per stream of the cache with, or without, a window."""
        if windowed and not self.setting.types.swa_full:
            return self.context.window_cells(self.anatomy.window)
        return self.context.n_ctx_seq

    def _attention_input(self, windowed: bool) -> AttentionInput:
        graph, tokens, types = self.graph, self.tokens, self.setting.types
        streams = self.context.streams
        mask = graph.leaf((self.cells(windowed), tokens // streams, 1, streams), "f16" if self.setting.flash else "f32")
        per_token = self.widest_v if types.transposed else 1
        alike = [layer for layer in self.anatomy.layers if layer.in_cache and layer.windowed == windowed]
        k_length = math.gcd(*(layer.key_length for layer in alike if layer.k_width))
        v_length = math.gcd(*(layer.value_length for layer in alike if layer.v_width))
        return AttentionInput(
            mask=mask,
            k_cells=graph.leaf((tokens, 1, 1, 1), "i64"),
            v_cells=graph.leaf((tokens * per_token, 1, 1, 1), "i64"),
            k_rotation=self._rotation(types.k, k_length, grow=True),
            v_rotation=self._rotation(types.v, v_length, grow=False),
        )

    def _rotation(self, type_name: str, length: int, grow: bool) -> Node | None:
        if ggml_type(type_name).block_elements == 1 or not length or length % ROTATION or self.anatomy.mla:
            return None
        side = ROTATION
        while grow and length % (2 * side) == 0:
            side *= 2
        return self.graph.leaf((side, side, 1, 1))

    def rotated(self, x: Node, rotation: Node | None) -> Node:
        if rotation is None:
            return x
        graph = self.graph
        side = rotation.ne[0]
        flat = self.flattened(x, (side, x.ne[0] * x.ne[1] * x.ne[2] * x.ne[3] // side, 1, 1))
        return graph.reshape(graph.mul_mat(rotation, flat), x.ne)

    def flattened(self, x: Node, ne: Shape) -> Node:
        """`x` in another shape, copied first if its rows have gaps."""
        return self.graph.reshape(x, ne) if x.layout is not None else self.graph.cont(x, ne)

    def cache(self, what: str, layer: Layer, type_name: str, width: int, cells: int) -> Node:
        """A block's cache tensor."""
        key = (layer.index, f"cache_{what}")
        node = self._weights.get(key)
        if node is None:
            device = self.setting.devices[layer.index] if self.setting.kv_offload else HOST
            ne = (width, cells, self.context.streams, 1)
            node = self._weights[key] = self.graph.external(ne, self.graph_type(type_name), device)
        return node

    def graph_type(self, type_name: str) -> str:
        """A type as the graph names it: its own for what is computed with, ggml's for the others."""
        return {"F16": "f16", "F32": "f32", "I32": "i32"}.get(type_name, type_name)

    def merged(self, cache: Node) -> Node:
        """All streams of a cache as one, to write to."""
        ne = cache.ne
        return cache if ne[2] == 1 else self.graph.reshape(cache, (ne[0], ne[1] * ne[2], 1, 1))

    def attend(
        self,
        layer: Layer,
        q: Node,
        k: Node | None,
        v: Node | None,
        *,
        sinks: Node | None = None,
        softcap: bool = False,
        keys_first: bool = False,
        v_up: Node | None = None,
        mask: t.Callable[[Node], Node] | None = None,
    ) -> Node:
        """Store K and V, attend, and give [value length x heads, tokens].

        `k` None: the block reads an earlier one's cache. `keys_first`: models with windows put K before V. `v_up`: the
        matrix that MLA's values are multiplied with. `mask` makes the mask of this block from the common one.
        """
        graph = self.graph
        inputs = self.attention_input(layer.windowed)
        types = self.setting.types
        q = self.rotated(q, inputs.k_rotation)
        graph_order = [q]
        owner = self.anatomy.layers[layer.cache_layer]
        cells = cells_of(self.anatomy, owner, self.context, types.swa_full)
        if k is not None:
            k = self.rotated(k, inputs.k_rotation)
            v = self.rotated(v, inputs.v_rotation) if v is not None and not self.anatomy.mla else None
            rest = [part for part in ((k, v) if keys_first else (v, k)) if part is not None]
            graph_order += rest
        for part in graph_order:
            graph.expand(part)
        if k is not None:
            self._store_k(owner, k, inputs, cells)
            if v is not None:
                self._store_v(owner, v, inputs, cells)
        chosen = inputs.mask if mask is None else mask(inputs.mask)
        return self._weighted_sum(owner, q, inputs._replace(mask=chosen), cells, sinks, softcap, v_up, layer)

    def _store_k(self, owner: Layer, k: Node, inputs: AttentionInput, cells: int) -> None:
        graph = self.graph
        cache = self.cache("k", owner, self.setting.types.k, owner.k_width, cells)
        rows = graph.view(k, (owner.k_width, self.tokens, 1, 1))
        graph.expand(graph.write("SET_ROWS", cache, rows, inputs.k_cells, self.merged(cache)))

    def _store_v(self, owner: Layer, v: Node, inputs: AttentionInput, cells: int) -> None:
        graph, tokens = self.graph, self.tokens
        if not self.setting.types.transposed:
            cache = self.cache("v", owner, self.setting.types.v, owner.v_width, cells)
            rows = graph.view(v, (owner.v_width, tokens, 1, 1))
            graph.expand(graph.write("SET_ROWS", cache, rows, inputs.v_cells, self.merged(cache)))
            return
        # transposed: every element is a row of its own, and all blocks are as wide as the widest
        width = self.widest_v
        cache = self.cache("v", owner, self.setting.types.v, width, cells)
        rows = self.flattened(v, (owner.v_width, tokens, 1, 1))
        if owner.v_width < width:
            rows = graph.op("PAD", (width, tokens, 1, 1), rows)
        rows = graph.reshape(rows, (1, width * tokens, 1, 1))
        flat = graph.reshape(cache, (1, cache.ne[0] * cache.ne[1] * cache.ne[2], 1, 1))
        graph.expand(graph.write("SET_ROWS", cache, rows, inputs.v_cells, flat))

    def _weighted_sum(
        self,
        owner: Layer,
        q: Node,
        inputs: AttentionInput,
        cells: int,
        sinks: Node | None,
        softcap: bool,
        v_up: Node | None,
        layer: Layer,
    ) -> Node:
        graph, types = self.graph, self.setting.types
        streams, heads = self.context.streams, q.ne[1]
        length_k, length_v = q.ne[0], layer.value_length
        kv_heads = owner.k_width // length_k
        each = self.tokens // streams
        k_cache = self.cache("k", owner, types.k, owner.k_width, cells)
        k_view = graph.part(k_cache, (length_k, kv_heads, cells, streams))
        if owner.v_width:
            v_cache = self.cache("v", owner, types.v, self.widest_v if types.transposed else owner.v_width, cells)
            ne = (cells, kv_heads, length_v, streams) if types.transposed else (length_v, kv_heads, cells, streams)
            v_view = graph.part(v_cache, ne)
        else:
            # MLA: the values are the first part of the keys
            length_v = int(self.anatomy.get("attention.kv_lora_rank", 0))
            v_view = graph.part(k_view, (length_v, kv_heads, cells, streams))
            v_view.size = k_view.size - graph.part(k_view, (length_k - length_v, 1, 1, 1)).size
            v_view.gpu_size = max(v_view.size, v_view.gpu_size)
        q = graph.permute(graph.part(q, (length_k, heads, each, streams)), (length_k, each, heads, streams))
        k = graph.permute(k_view, (length_k, cells, kv_heads, streams))
        v = self._values(v_view, length_v, kv_heads, cells, streams)
        if self.setting.flash:
            k, v = self.for_flash_attention(k), self.for_flash_attention(v)
            sources = [q, k, v, inputs.mask] if sinks is None else [q, k, v, inputs.mask, sinks]
            node = graph.op("FLASH_ATTN_EXT", (length_v, heads, each, streams), *sources)
            node.gpu_size = self.attention_bytes(node, k, v)
            node.layer = layer.index
            graph.attention.append(node)
            if v_up is not None:
                node = graph.cont(self._multiplied(node, v_up, length_v, heads, each, streams))
            result = graph.reshape(node, (node.ne[0] * heads, self.tokens, 1, 1))
        else:
            scores = graph.mul_mat(k, q)
            if softcap:
                scores = graph.scale(graph.unary(graph.scale(scores)))
            sources = [scores, inputs.mask] if sinks is None else [scores, inputs.mask, sinks]
            scores = graph.op("SOFT_MAX", scores.ne, *sources)
            node = graph.mul_mat(v, scores)
            if v_up is not None:
                node = graph.mul_mat(v_up, node)
            turned = graph.permute(node, (node.ne[0], heads, each, streams))
            result = graph.cont(turned, (node.ne[0] * heads, self.tokens, 1, 1))
        graph.expand(result)
        return self.rotated(result, inputs.v_rotation if owner.v_width else None)

    def _values(self, v_view: Node, length: int, kv_heads: int, cells: int, streams: int) -> Node:
        graph = self.graph
        if self.setting.types.transposed and not self.anatomy.mla:
            return graph.permute(v_view, (cells, length, kv_heads, streams))
        v = graph.permute(v_view, (length, cells, kv_heads, streams))
        return v if self.setting.flash else graph.cont(graph.transpose(v))

    def _multiplied(self, node: Node, v_up: Node, length: int, heads: int, each: int, streams: int) -> Node:
        """MLA: from the latent values to each head's own."""
        graph = self.graph
        turned = graph.permute(node, (length, each, heads, streams))
        product = graph.mul_mat(v_up, turned)
        return graph.permute(product, (product.ne[0], heads, each, streams))

    def for_flash_attention(self, part: Node) -> Node:
        """K or V as flash attention's kernels read it: f32 as f16."""
        return self.graph.cast(part, "f16") if part.type == "f32" else part

    def attention_bytes(self, node: Node, k: Node, v: Node) -> int:
        """What flash attention's result takes on CUDA: beside it lie f16 copies of a quantised or bf16 cache.

        MLA's values are a part of its keys and need no copy of their own.
        """
        size = node.size
        if not self.setting.cache_copies:
            return size
        for part in (k,) if k.root is v.root is not None else (k, v):
            if part.type != "f16":
                ne = part.ne
                size = (size + 127) // 128 * 128 + 2 * ne[0] * ne[1] * ne[2] * ne[3]
        return size

    # output

    def output(self, x: Node, softcap: bool = False, norm: str = "output_norm", kind: str = "RMS_NORM") -> None:
        """The last norm and the logits."""
        graph = self.graph
        x = self.norm(x, norm, -1, kind)
        device = self.setting.devices[self.anatomy.n_layer]
        matrix = self.weight("output.weight")
        if matrix is None:
            matrix = self.embedding_on(device)
        x = self.biased(graph.mul_mat(matrix, x), "output", -1)
        if self.anatomy.get("logit_scale"):
            x = graph.scale(x)
        if softcap:
            x = graph.scale(graph.unary(graph.scale(x)))
        x.flags |= OUTPUT
        graph.expand(x)
