# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishers' own mixes of types (UD-Q4_K_XL, Q6_K_L): no recipe tells their tensors, only the size of the file is known.

Such a model is taken for one that begins as the recipe next above that size and goes on as the recipe next below it: it has
the published size, and in every layer a number of bits between the two. Real mixes spread their bits otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...module_utils.ggml_types import tensor_bytes
from .. import quant
from ..catalog import access as catalog
from ..contract.base import ContractError
from .model import Tensor

# Recipes that publishers' mixes lie between; ternary and 4-bit float ones are for models trained in them.
_LADDER = (
    "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M",
    "IQ4_XS", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K", "Q8_0", "BF16",
)  # fmt: skip


def is_mix(label: str) -> bool:
    """Tell whether a label (in upper case) is one that publishers give mixes that llama.cpp loads, and no recipe's name."""
    return label not in quant.FILE_TYPES and (label.startswith("UD-") or label.endswith(("_L", "_XL")))


def published_bytes(identifier: str, label: str) -> int:
    """Return the published size of a model's mix; of several files with this label the largest.

    :raises ContractError: the catalog knows no size for it.
    """
    known: dict[str, int] = {}
    for row in catalog.published_files(identifier) if identifier in catalog.names("model") else ():
        name = row["quant"].upper()
        if is_mix(name):
            known[name] = max(known.get(name, 0), row["size_bytes"])
    if label in known:
        return known[label]
    shown = f"'{identifier[:80]}'" if identifier else "this model"
    which = f"of {shown} that of {', '.join(sorted(known))} is" if known else f"none of {shown} is"
    raise ContractError(
        f"quant: a publisher's own mix is planned by its published size, and {which} known;"
        " name one of llama-quantize's recipes such as Q4_K_M, or pass the header of the file (gguf_info)"
    )


def of_size(tensors: Sequence[Tensor], metadata: Mapping[str, object], size_bytes: int) -> tuple[Tensor, ...]:
    """Return the tensors with types that together take `size_bytes`, but for the size of one tensor."""
    rungs = sorted(
        ((sum(map(_bytes, rung)), rung) for rung in (quant.quantize(tensors, metadata, name) for name in _LADDER)),
        key=lambda pair: pair[0],
    )
    below = max((pair for pair in rungs if pair[0] <= size_bytes), key=lambda pair: pair[0], default=rungs[0])
    above = min((pair for pair in rungs if pair[0] >= size_bytes), key=lambda pair: pair[0], default=rungs[-1])
    total, result = below[0], list(below[1])
    for place, tensor in enumerate(above[1]):
        if total >= size_bytes:
            break
        total += _bytes(tensor) - _bytes(result[place])
        result[place] = tensor
    return tuple(result)


def _bytes(tensor: Tensor) -> int:
    return tensor_bytes(tensor.type, tensor.shape)
