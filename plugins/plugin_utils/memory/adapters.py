# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LoRA adapters (`--lora`): two thin matrices beside each of the base model's that they change, where that one lies.

Source: `llama-adapter.cpp` of llama.cpp 0.7.0.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ...module_utils.ggml_types import tensor_bytes
from ..model.model import Model, Tensor
from .alignment import CPU_ALIGNMENT, cuda_bytes
from .anatomy import Anatomy
from .context import pad
from .placement import HOST
from .refusals import UnknownModel
from .weights import Overrides, device_of, device_outside_blocks

Pair = tuple[Tensor, Tensor]


@dataclasses.dataclass(frozen=True, eq=False)
class Adapters:
    """The matrices of all adapters of a launch, by block (-1 outside blocks) and the name of the base model's matrix."""

    pairs: t.Mapping[tuple[int, str], tuple[Pair, ...]]

    def of(self, block: int, name: str) -> tuple[Pair, ...]:
        """Return the pairs, first and second matrix, that change the matrix `name` of a block."""
        return self.pairs.get((block, name), ())


def adapters_of(models: t.Sequence[Model], anatomy: Anatomy) -> Adapters | None:
    """Return the adapters in these files, None where there are none.

    :raises UnknownModel: a file is no adapter, or changes a matrix that the base model does not have.
    """
    found: dict[tuple[int, str], tuple[Pair, ...]] = {}
    for model in models:
        if model.architecture != anatomy.name:
            raise UnknownModel(
                f"lora: {model.id} is for the architecture '{model.architecture}', and the model is '{anatomy.name}'"
            )
        tensors = {tensor.name: tensor for tensor in model.tensors}
        firsts = [name for name in tensors if name.endswith(".lora_a")]
        if not firsts:
            raise UnknownModel(f"lora: {model.id} has no tensors named '….lora_a', so it is no LoRA adapter")
        for name in firsts:
            base = name.removesuffix(".lora_a")
            second = tensors.get(f"{base}.lora_b")
            place = _place(base, anatomy)
            if second is None or place is None:
                raise UnknownModel(
                    f"lora: the model has no matrix '{base}' that {model.id} changes, or half of it is missing"
                )
            found[place] = (*found.get(place, ()), (tensors[name], second))
    return Adapters(found) if found else None


def _place(base: str, anatomy: Anatomy) -> tuple[int, str] | None:
    if not base.startswith("blk."):
        return (-1, base) if base in anatomy.globals else None
    number, _dot, name = base[4:].partition(".")
    if number.isdigit() and int(number) < anatomy.n_layer and name in anatomy.blocks[int(number)]:
        return int(number), name
    return None


def adapter_bytes(
    adapters: Adapters | None, anatomy: Anatomy, devices: t.Sequence[int], n_gpus: int, overrides: Overrides
) -> tuple[list[int], int]:
    """Return the bytes of the adapters per GPU, and on the host."""
    gpu, host = [0] * n_gpus, 0
    for (block, name), pairs in () if adapters is None else adapters.pairs.items():
        device = (
            device_outside_blocks(name, devices)
            if block < 0
            else device_of(anatomy, block, name, devices[block], overrides)
        )
        for tensor in (tensor for pair in pairs for tensor in pair):
            size = tensor_bytes(tensor.type, tensor.shape)
            if device == HOST:
                host += pad(size, CPU_ALIGNMENT)
            else:
                gpu[device] += cuda_bytes(size, tensor.type, tensor.shape[0])
    return gpu, host
