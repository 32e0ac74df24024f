# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of llama-quantize over a model: every tensor in turn, counted by kind, given a type that its rows fit."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ...module_utils.ggml_types import ggml_type
from ..contract.base import ContractError
from ..model.model import Tensor
from .kinds import kind_of, split_name
from .recipes import Recipe, Situation

# Where a row is no multiple of the type's block, the type with blocks of 32 that takes its place.
_FALLBACK = {
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS"), "IQ4_NL"),
    **dict.fromkeys(("Q2_0", "Q2_K", "Q3_K", "TQ1_0", "TQ2_0"), "Q4_0"),
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}
_UNQUANTISED = ("F32", "F16", "BF16")
_BLOCK: dict[str, int] = {
    name: ggml_type(name).block_elements for name in (*_FALLBACK, *_FALLBACK.values(), "Q8_0", "Q4_1", "MXFP4", "Q1_0")
}

# Architectures of which llama.cpp takes the 80-layer model for its 70B (`llm_type`).
_WITH_70B = ("llama", "deci", "qwen2", "qwen2vl")


class Quantizer:
    """One run over a model's tensors, in the order llama-quantize sees them: by block, then by name."""

    def __init__(
        self, recipe: Recipe, tensors: tuple[Tensor, ...], metadata: Mapping[str, t.Any], imatrix: bool
    ) -> None:
        self.recipe = recipe
        self.tensors = tensors
        self.tied = all(tensor.name != "output.weight" for tensor in tensors)
        architecture = str(metadata.get("general.architecture", ""))
        self.layers = _number(metadata, f"{architecture}.block_count")
        self.experts = _number(metadata, f"{architecture}.expert_count")
        heads = _number(metadata, f"{architecture}.attention.head_count")
        kv_heads = _number(metadata, f"{architecture}.attention.head_count_kv", heads)
        self.grouping = heads // kv_heads if kv_heads else 0
        self.imatrix = imatrix
        self.is_70b = (
            architecture in _WITH_70B
            and self.layers == 80
            and not (architecture == "llama" and (heads == kv_heads or self.experts == 8))
        )

    def result(self) -> tuple[Tensor, ...]:
        """Return all tensors, in the order they were given."""
        if self.recipe.base in _UNQUANTISED:
            return tuple(
                _with_type(tensor, self.recipe.base) if _is_quantised(tensor) else tensor for tensor in self.tensors
            )
        places = sorted((*split_name(tensor.name), place) for place, tensor in enumerate(self.tensors))
        values = sum(kind_of(rest)[1] == "attn_v" for _block, rest, _place in places)
        seen = {"attn_v": 0, "ffn_down": 0, "ffn_gate": 0, "ffn_up": 0}
        result = list(self.tensors)
        for block, rest, place in places:
            tensor = self.tensors[place]
            allowed, kind = kind_of(rest)
            if not (allowed and _is_matrix(tensor)):
                continue
            index = seen.get(kind, 0)
            if kind in seen:
                seen[kind] += 1
            if self.experts > 1 and kind != "attn_v" and not self.recipe.low:
                index = block
            wanted = self._type(tensor, kind, index, values if kind == "attn_v" else self.layers)
            result[place] = _with_type(tensor, self._fitting(tensor, wanted))
        return tuple(result)

    def _type(self, tensor: Tensor, kind: t.Any, index: int, count: int) -> str:
        recipe = self.recipe
        if kind == "output" or (kind == "embedding" and self.tied):
            if recipe.output is None:
                return recipe.base
            return "Q8_0" if tensor.shape[0] % _BLOCK[recipe.base] else recipe.output
        if recipe.stacked:
            return recipe.stacked if len(tensor.shape) > 2 and tensor.shape[2] > 1 else recipe.base
        chosen = recipe.base
        rules = recipe.rules.get(kind)
        if rules:
            situation = Situation(index, count, self.grouping, self.experts, self.is_70b, self.imatrix)
            chosen = next((name for name, condition in rules if condition(situation)), chosen)
        if recipe.low:
            return chosen
        if self.experts == 8 and kind in ("attn_v", "attn_k"):
            return "Q8_0"  # a small part of such a model, so llama.cpp spends 8 bits on it
        if self.is_70b and kind == "attn_v" and chosen in ("Q3_K", "Q4_K"):
            return "Q5_K"  # shared by eight heads, an eighth of the query matrix
        return chosen

    def _fitting(self, tensor: Tensor, wanted: str) -> str:
        row = tensor.shape[0]
        if row % _BLOCK[wanted] == 0:
            return wanted
        instead = _FALLBACK.get(wanted)
        if instead is None:
            raise ContractError(
                f"quant: rows of '{tensor.name}' have {row} values, no multiple of the {_BLOCK[wanted]} that {wanted} needs, and"
                " llama-quantize knows no other type for them; choose F16 or BF16"
            )
        return instead if row % _BLOCK[instead] == 0 else "F16"


def _with_type(tensor: Tensor, kind: str) -> Tensor:
    return tensor if tensor.type == kind else Tensor(tensor.name, tensor.shape, kind)


def _is_quantised(tensor: Tensor) -> bool:
    return kind_of(split_name(tensor.name)[1])[0] and _is_matrix(tensor)


def _is_matrix(tensor: Tensor) -> bool:
    """Tell whether the tensor has more than one row."""
    return any(part > 1 for part in tensor.shape[1:])


def _number(metadata: Mapping[str, t.Any], key: str, default: int = 0) -> int:
    """Return the value of a key, in the first block where it is an array."""
    value = metadata.get(key, default)
    if isinstance(value, (list, tuple)):
        value = value[0] if value else default
    return value if isinstance(value, int) else default
