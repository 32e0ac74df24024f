# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""llama-quantize's choice of types: tensors in base types and a file type become tensors with the types of the file."""

from __future__ import annotations

import difflib
import typing as t
from collections.abc import Iterable, Mapping

from ..contract.base import ContractError
from ..model.model import Tensor
from .quantizer import Quantizer
from .recipes import ALIASES, RECIPES

FILE_TYPES: tuple[str, ...] = tuple(RECIPES)


def recipe_name(quant: str) -> str:
    """Return the name of llama-quantize's recipe that `quant` means, in any case of letters.

    :raises ContractError: there is no such recipe; a publisher's own mix (UD-Q4_K_XL) is none.
    """
    name = quant.upper() if isinstance(quant, str) else ""
    name = ALIASES.get(name, name)
    if name in RECIPES:
        return name
    if name.startswith("UD-") or name.endswith("_XL"):
        raise ContractError(
            "quant: this is a publisher's own mix, not a recipe of llama-quantize; only its published size can be planned with"
        )
    near = difflib.get_close_matches(name[:32], RECIPES, n=1)
    raise ContractError(
        "quant: not a file type of llama-quantize; "
        + (f"did you mean '{near[0]}'?" if near else f"one of {', '.join(RECIPES)}")
    )


def quantize(
    tensors: Iterable[Tensor], metadata: Mapping[str, t.Any], quant: str, *, imatrix: bool = False
) -> tuple[Tensor, ...]:
    """Return the tensors with the types that llama-quantize gives them.

    :param tensors: all tensors of the model in base types; the order is kept.
    :param metadata: its GGUF keys.
    :param quant: a file type, such as Q4_K_M; see FILE_TYPES.
    :param imatrix: whether an importance matrix is used, which changes some types. Without it this is what
        `llama-quantize --dry-run` tells, also for file types that it would not make without one.
    :raises ContractError: no such file type, or a row fits no type of the recipe (llama-quantize stops there too).
    """
    return Quantizer(RECIPES[recipe_name(quant)], tuple(tensors), metadata, imatrix).result()
