# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one token makes each layer of a model read and compute, whatever device the layer is on.

Read off the tensors' names and shapes, not off the architecture's name: a matrix of a block is read once a token, an
expert tensor (`ffn_*_exps`) by the share of its experts that a token is sent to, the embedding not at all unless it is
the output matrix too. Attention reads the cached keys and values of every cell that a token may look at.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
import weakref

from ...module_utils.ggml_types import row_bytes, tensor_bytes
from ..model.model import Model, Tensor
from .windows import attention_windows

_BLOCK = re.compile(r"^blk\.(\d+)\.(.+)$")
_EXPERTS = re.compile(r"^ffn_\w+_(ch)?exps\.weight$")

# The work of unpacking a value, K-quants of four bits and more being 1: a shift and a mask where a block has one scale;
# bits of a value in several places, or a table to look up, where it has few.
_PLAIN = ("F32", "F16", "BF16")
_ONE_SCALE = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1")
_SMALL_TABLE = ("IQ4_XS", "IQ4_NL", "MXFP4", "NVFP4")
_FEW_BITS = ("Q2_K", "Q3_K", "Q1_0", "Q2_0")

# Tensors outside the blocks of which a token reads one row at most.
_LOOKED_UP = (
    "token_embd.weight",
    "per_layer_token_embd.weight",
    "rope_freqs.weight",
    "rope_factors_long.weight",
    "rope_factors_short.weight",
    "token_types.weight",
    "position_embd.weight",
)

# Launches of a layer beside its matrices and norms: rotation and storing of keys and values, attention in two steps,
# two additions; a layer with experts also sorts, weighs and sums them; a recurrent one splits, gates and norms its state.
_LAYER_KERNELS = 6
_EXPERT_KERNELS = 5
_STATE_KERNELS = 30


@dataclasses.dataclass(frozen=True, slots=True)
class LayerActivity:
    """One block, or the output (the last entry, without attention and experts).

    `dense_bytes` and `dense_values` are read and multiplied for every token; of `expert_bytes` and `expert_values` the
    share `expert_share`. `packed` counts the values that must be unpacked first, by how much work that is.
    `key_values` and `value_values` are the numbers one cell of the cache holds, 0 without
    attention; `cell_flops` the arithmetic of attention per token and cell; `window` the cells a token may look back
    (None: all). `state_bytes` are read and written each token by a recurrent layer. `kernels` and `expert_kernels` are the
    launches on a GPU, without and for the routed experts.
    """

    dense_bytes: int = 0
    dense_values: int = 0
    dense_packed: float = 0.0
    expert_bytes: int = 0
    expert_values: int = 0
    expert_packed: float = 0.0
    expert_share: float = 0.0
    key_values: int = 0
    value_values: int = 0
    cell_flops: int = 0
    window: int | None = None
    state_bytes: int = 0
    kernels: int = 0
    expert_kernels: int = 0

    @property
    def routed_bytes(self) -> float:
        """Bytes of routed experts that one token reads."""
        return self.expert_bytes * self.expert_share

    def cells(self, depth: int) -> int:
        """Return the cells a token at this depth of context looks at."""
        return depth if self.window is None else min(depth, self.window)

    def cell_bytes(self, type_k: str, type_v: str) -> int:
        """Return the bytes of one cell of this layer's cache."""
        keys = row_bytes(type_k, self.key_values) if self.key_values else 0
        return keys + (row_bytes(type_v, self.value_values) if self.value_values else 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Activity:
    """The layers of a model in order, the output last; `vocabulary` is the number of logits of one token."""

    layers: tuple[LayerActivity, ...]
    embedding: int
    vocabulary: int

    @property
    def weight_bytes(self) -> int:
        """All bytes that some token reads: the file without the embedding (unless it is the output matrix too)."""
        return sum(layer.dense_bytes + layer.expert_bytes for layer in self.layers)

    @property
    def token_bytes(self) -> float:
        """Bytes of weights that one token reads."""
        return sum(layer.dense_bytes + layer.routed_bytes for layer in self.layers)


_KNOWN: weakref.WeakKeyDictionary[Model, Activity] = weakref.WeakKeyDictionary()


def activity(model: Model) -> Activity:
    """Return what a token makes `model` read; computed once per model, it is independent of where layers are."""
    known = _KNOWN.get(model)
    if known is None:
        known = _KNOWN[model] = _counted(model)
    return known


def _counted(model: Model) -> Activity:
    blocks: dict[int, dict[str, Tensor]] = {}
    outside: dict[str, Tensor] = {}
    for tensor in model.tensors:
        match = _BLOCK.match(tensor.name)
        if match:
            blocks.setdefault(int(match[1]), {})[match[2]] = tensor
        else:
            outside[tensor.name] = tensor
    count = _integer(model.get("block_count"), len(blocks))
    # blocks that only predict further tokens are not run by the main context
    computed = max(0, count - _integer(model.get("nextn_predict_layers"), 0))
    windows = attention_windows(model, computed)
    layers = [_block(model, blocks.get(index, {}), index, windows[index]) for index in range(computed)]
    layers += [LayerActivity()] * (count - computed)
    output = outside.get("output.weight") or outside.get("token_embd.weight")
    last = [tensor for name, tensor in outside.items() if name not in _LOOKED_UP and name != "output.weight"]
    if output is not None:
        last.append(output)
    embedding = _integer(model.get("embedding_length"), output.shape[0] if output else 0)
    layers.append(
        LayerActivity(
            dense_bytes=sum(tensor_bytes(tensor.type, tensor.shape) for tensor in last),
            dense_values=sum(_values(tensor) for tensor in last),
            dense_packed=sum(_packed(tensor) for tensor in last),
            kernels=sum(_kernels(tensor) for tensor in last),
        )
    )
    return Activity(tuple(layers), embedding, output.shape[-1] if output else 0)


def _block(model: Model, tensors: t.Mapping[str, Tensor], index: int, window: int | None) -> LayerActivity:
    dense = [tensor for name, tensor in tensors.items() if not _EXPERTS.match(name)]
    experts = [tensor for name, tensor in tensors.items() if _EXPERTS.match(name)]
    used = _integer(_at(model.get("expert_used_count"), index), 0)
    total = experts[0].shape[-1] if experts else 0
    keys, values, flops = _attention(model, tensors, index)
    state = _state_bytes(tensors)
    kernels = _LAYER_KERNELS + sum(_kernels(tensor) for tensor in dense) + (_STATE_KERNELS if state else 0)
    return LayerActivity(
        dense_bytes=sum(tensor_bytes(tensor.type, tensor.shape) for tensor in dense),
        dense_values=sum(_values(tensor) for tensor in dense),
        dense_packed=sum(_packed(tensor) for tensor in dense),
        expert_bytes=sum(tensor_bytes(tensor.type, tensor.shape) for tensor in experts),
        expert_values=sum(_values(tensor) for tensor in experts),
        expert_packed=sum(_packed(tensor) for tensor in experts),
        expert_share=min(1.0, used / total) if total and used else float(bool(total)),
        key_values=keys,
        value_values=values,
        cell_flops=flops,
        window=window,
        state_bytes=state,
        kernels=kernels,
        expert_kernels=_EXPERT_KERNELS + sum(_kernels(tensor) for tensor in experts) if experts else 0,
    )


def _attention(model: Model, tensors: t.Mapping[str, Tensor], index: int) -> tuple[int, int, int]:
    """Return the numbers of a cell's keys and values and the arithmetic per token and cell; zeros without attention."""
    heads = _integer(_at(model.get("attention.head_count"), index), 0)
    latent = tensors.get("attn_kv_a_mqa.weight")
    if latent is not None and "attn_k_b.weight" in tensors:
        # multi-head latent attention: one shared row per cell, of which the first part is the values too
        keys = latent.shape[1]
        rank = _integer(model.get("attention.kv_lora_rank"), keys)
        return keys, 0, 2 * heads * (keys + rank)
    if not any(name in tensors for name in ("attn_q.weight", "attn_qkv.weight", "attn_kv_a_mqa.weight")):
        return 0, 0, 0
    if "ssm_out.weight" in tensors and "attn_qkv.weight" in tensors:
        return 0, 0, 0  # a linear-attention block, whose projection has the same name
    kv_heads = _integer(_at(model.get("attention.head_count_kv"), index), heads)
    width = _integer(model.get("embedding_length"), 0) // heads if heads else 0
    key_width = _integer(model.get("attention.key_length"), width)
    value_width = _integer(model.get("attention.value_length"), key_width)
    key, value = tensors.get("attn_k.weight"), tensors.get("attn_v.weight")
    keys = key.shape[1] if key is not None else kv_heads * key_width
    values = value.shape[1] if value is not None else (keys if key is not None else kv_heads * value_width)
    per_head = (keys + values) // kv_heads if kv_heads else key_width + value_width
    return keys, values, 2 * heads * per_head


def _state_bytes(tensors: t.Mapping[str, Tensor]) -> int:
    """Return what a recurrent layer reads and writes each token: its state in F32, twice."""
    convolution = tensors.get("ssm_conv1d.weight") or tensors.get("ssm_conv1d_q.weight")
    out = tensors.get("ssm_out.weight")
    if convolution is None or out is None:
        return 0
    norm = tensors.get("ssm_norm.weight")
    inner = out.shape[0]
    # the state is a matrix per head: as wide as a head's norm where that is one head's, else 128 as in Mamba 2
    width = norm.shape[0] if norm is not None and norm.shape[0] < inner else 128
    return 2 * 4 * (inner * width + convolution.shape[0] * convolution.shape[-1])


def _kernels(tensor: Tensor) -> int:
    """Return the launches a tensor costs: a quantised matrix needs its input quantised first; small ones are fused."""
    if tensor.name.endswith(".bias"):
        return 0
    if sum(side > 1 for side in tensor.shape) < 2:
        return int("norm" in tensor.name)
    return 2 if _packed(tensor) else 1


def _packed(tensor: Tensor) -> float:
    if tensor.type in _PLAIN:
        return 0.0
    if tensor.type in _ONE_SCALE:
        return 0.5 * _values(tensor)
    if tensor.type in _FEW_BITS or (tensor.type.startswith(("IQ", "TQ")) and tensor.type not in _SMALL_TABLE):
        return 2.0 * _values(tensor)
    return float(_values(tensor))


def _values(tensor: Tensor) -> int:
    count = 1
    for side in tensor.shape:
        count *= side
    return count


def _at(value: t.Any, index: int) -> t.Any:
    """Return a layer's entry of a key that may hold one value for all layers or one for each."""
    if isinstance(value, (list, tuple)):
        return value[index] if index < len(value) else None
    return value


def _integer(value: t.Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
