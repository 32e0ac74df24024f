# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GGUF metadata becomes the tensor list that llama.cpp's converter writes: names, shapes, types before quantising."""

from __future__ import annotations

import difflib
import typing as t
from collections.abc import Mapping

from ..contract.base import ContractError
from ..model.model import Tensor
from .families import ARCHITECTURES
from .hyperparameters import Hyperparameters


def tensors(metadata: Mapping[str, t.Any]) -> tuple[Tensor, ...]:
    """Return the tensors of the model that `metadata` describes, matrices in BF16, the rest in F32 (or I32).

    :param metadata: GGUF keys, and `checkpoint.` keys (see hyperparameters.py) where the model differs from its kin.
    :raises ContractError: the architecture is not known, a key is missing, or a value cannot be.
    """
    name = metadata.get("general.architecture")
    if not isinstance(name, str) or not name:
        raise ContractError(
            "model metadata: 'general.architecture' is missing; it names the architecture, such as 'llama'"
        )
    architecture = ARCHITECTURES.get(name)
    if architecture is None:
        near = difflib.get_close_matches(name[:64], ARCHITECTURES, n=1)
        raise ContractError(
            "model metadata: 'general.architecture' names an architecture whose tensors are not known here"
            + (f"; did you mean '{near[0]}'?" if near else "; pass the header of a GGUF file (gguf_info) instead")
        )
    h = Hyperparameters(name, metadata)
    _refuse_what_cannot_run(h)
    result = tuple(Tensor(*entry) for entry in architecture.entries(h))
    for tensor in result:
        if 0 in tensor.shape:
            raise ContractError(
                f"model metadata: a width of 0 leaves '{tensor.name}' empty; a key of {name} is 0 that must not be"
            )
    return result


def _refuse_what_cannot_run(h: Hyperparameters) -> None:
    """Refuse numbers that llama.cpp stops at, though tensors could be listed."""
    for layer in range(h.layers if h.has("attention.head_count") else 0):
        heads, kv_heads = h.heads(layer), h.kv_heads(layer)
        if kv_heads and heads % kv_heads:
            raise ContractError(
                f"model metadata: {heads} query heads of block {layer} cannot share {kv_heads} key heads; see"
                f" '{h.architecture}.attention.head_count' and '{h.architecture}.attention.head_count_kv'"
            )
    if h.experts and h.count("expert_used_count", 0) > h.experts:
        raise ContractError(f"model metadata: '{h.architecture}.expert_used_count' is above the number of experts")
