# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipes of llama-quantize: which type each kind of tensor gets under a file type.

Rules follow `llama_tensor_get_type` and `llama_ftype_get_default_type` of llama.cpp (`src/llama-quant.cpp`), written as a
table: a recipe is a base type, and rules for the kinds of tensors that deviate from it. Rules are tried in order; the first
one whose condition holds tells the type.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable

Kind = t.Literal[
    "output", "embedding", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_gate", "ffn_down", "other"
]


@dataclasses.dataclass(frozen=True, slots=True)
class Situation:
    """What a rule may look at: where the tensor stands in the model, and what kind of model it is.

    `index` counts tensors of this kind in file order, except in models with experts, where feed-forward tensors stand at
    their block's number; `count` is what it runs up to. `grouping` is query heads per key head in the first block.
    """

    index: int
    count: int
    grouping: int
    experts: int
    is_70b: bool
    imatrix: bool


Condition: t.TypeAlias = Callable[[Situation], bool]
Rule: t.TypeAlias = tuple[str, Condition]


def always(s: Situation) -> bool:
    """Hold for every tensor."""
    return True


def grouped(s: Situation) -> bool:
    """Hold where at least four query heads share a key head: the value matrix is small, more bits cost little."""
    return s.grouping >= 4


def more_bits(s: Situation) -> bool:
    """Hold in the first and last eighth of the layers and in every third one between."""
    eighth = s.count // 8
    return s.index < eighth or s.index >= 7 * s.count // 8 or (s.index - eighth) % 3 == 2


def first_eighth(s: Situation) -> bool:
    """Hold in the first eighth of the layers."""
    return s.index < s.count // 8


def first_sixteenth(s: Situation) -> bool:
    """Hold in the first sixteenth of the layers."""
    return s.index < s.count // 16


def middle(s: Situation) -> bool:
    """Hold in all but the first and last eighth of the layers."""
    return s.count // 8 <= s.index < 7 * s.count // 8


def first(number: int) -> Condition:
    """Return the condition that holds for the first `number` tensors of the kind."""
    return lambda s: s.index < number


def eight_experts(s: Situation) -> bool:
    """Hold for models with eight experts (Mixtral), whose attention is a small part of the whole."""
    return s.experts == 8


def with_imatrix(s: Situation) -> bool:
    """Hold when an importance matrix is used."""
    return s.imatrix


def both(*conditions: Condition) -> Condition:
    """Return the condition that holds where all of these do."""
    return lambda s: all(condition(s) for condition in conditions)


def neither(*conditions: Condition) -> Condition:
    """Return the condition that holds where none of these does."""
    return lambda s: not any(condition(s) for condition in conditions)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One file type: the base type, and the rules that deviate from it.

    `output` is the type of the output matrix (the token embedding where it serves as output matrix); None leaves the base
    type. `low` marks the recipes below three bits, to which llama.cpp's bonuses for the 70B and eight-expert models do not
    apply in the same way. `stacked` is the type
    of matrices with a third dimension, such as those of the experts.
    """

    base: str
    rules: t.Mapping[Kind, tuple[Rule, ...]] = dataclasses.field(default_factory=dict)
    output: str | None = "Q6_K"
    low: bool = False
    stacked: str | None = None


def _all(kind: str) -> tuple[Rule, ...]:
    return ((kind, always),)


def _eight_or(*rules: Rule) -> tuple[Rule, ...]:
    """Attention output: Q5_K in models with eight experts."""
    return (("Q5_K", eight_experts), *rules)


def _below_three_bits(base: str, embedding: str, instead: str, attention_output: str | None = None) -> Recipe:
    """Return a recipe of the IQ1 and IQ2 types: `instead` is what sensitive tensors get."""
    output = ((attention_output, always),) if attention_output else ()
    return Recipe(
        base,
        {
            "embedding": _all(embedding),
            "attn_v": (("Q4_K", lambda s: s.grouping >= 4 or s.experts >= 4), (instead, always)),
            "attn_k": (("Q4_K", eight_experts),),
            "attn_output": _eight_or(*output),
            "ffn_down": ((instead, first_eighth),),
        },
        output="Q5_K",
        low=True,
    )


_FOUR_BIT_NONLINEAR: dict[Kind, tuple[Rule, ...]] = {
    "attn_v": (("Q5_K", grouped),),
    "attn_output": _eight_or(),
    "ffn_down": (("Q5_K", both(first_eighth, neither(with_imatrix))),),
}
_TERNARY: dict[Kind, tuple[Rule, ...]] = {"embedding": _all("Q4_K")}

RECIPES: dict[str, Recipe] = {
    "F32": Recipe("F32", output=None),
    "F16": Recipe("F16", output=None),
    "BF16": Recipe("BF16", output=None),
    "Q8_0": Recipe("Q8_0", output=None),
    "Q4_0": Recipe("Q4_0", {"ffn_down": (("Q4_1", both(with_imatrix, first_eighth)),)}),
    "Q4_1": Recipe("Q4_1"),
    "Q5_0": Recipe("Q5_0", {"ffn_down": (("Q5_1", both(with_imatrix, first_eighth)),)}),
    "Q5_1": Recipe("Q5_1"),
    "Q2_K": Recipe(
        "Q2_K",
        {
            "attn_v": (("Q4_K", grouped), ("Q3_K", always)),
            "attn_output": _eight_or(("Q3_K", always)),
            "ffn_down": _all("Q3_K"),
        },
    ),
    "Q2_K_S": Recipe("Q2_K", {"attn_v": (("Q4_K", grouped),), "ffn_down": (("Q4_K", first_eighth),)}),
    "Q3_K_S": Recipe("Q3_K", {"attn_output": _eight_or()}),
    "Q3_K_M": Recipe(
        "Q3_K",
        {
            "attn_v": (("Q5_K", first(2)), ("Q4_K", always)),
            "attn_output": _eight_or(("Q4_K", always)),
            "ffn_down": (("Q5_K", first_sixteenth), ("Q4_K", always)),
        },
    ),
    "Q3_K_L": Recipe(
        "Q3_K",
        {
            "attn_v": _all("Q5_K"),
            "attn_output": (("Q3_K", eight_experts), ("Q5_K", always)),
            "ffn_down": _all("Q5_K"),
        },
    ),
    "Q4_K_S": Recipe(
        "Q4_K",
        {
            "attn_v": (("Q5_K", first(4)),),
            "attn_output": _eight_or(),
            "ffn_down": (("Q5_K", first_eighth),),
        },
    ),
    "Q4_K_M": Recipe(
        "Q4_K",
        {
            "attn_v": (("Q6_K", more_bits),),
            "attn_output": _eight_or(),
            "ffn_down": (("Q6_K", more_bits),),
        },
    ),
    "Q5_K_S": Recipe("Q5_K"),
    "Q5_K_M": Recipe("Q5_K", {"attn_v": (("Q6_K", more_bits),), "ffn_down": (("Q6_K", more_bits),)}),
    "Q6_K": Recipe("Q6_K"),
    "IQ1_S": _below_three_bits("IQ1_S", "Q2_K", "Q2_K", "IQ2_XXS"),
    "IQ1_M": _below_three_bits("IQ1_M", "Q2_K", "Q2_K", "IQ2_XXS"),
    "IQ2_XXS": _below_three_bits("IQ2_XXS", "Q2_K", "Q2_K"),
    "IQ2_XS": _below_three_bits("IQ2_XS", "Q2_K", "Q2_K"),
    "IQ2_S": _below_three_bits("IQ2_XS", "IQ3_S", "IQ3_S", "IQ3_S"),
    "IQ2_M": _below_three_bits("IQ2_S", "IQ3_S", "IQ3_S", "IQ3_S"),
    "IQ3_XXS": Recipe(
        "IQ3_XXS",
        {
            "embedding": _all("IQ3_S"),
            "attn_q": _all("IQ2_S"),
            "attn_k": _all("IQ2_S"),
            "attn_v": (("Q4_K", grouped), ("IQ3_XXS", with_imatrix), ("IQ3_S", always)),
            "attn_output": _eight_or(("IQ3_S", always)),
            "ffn_down": (("IQ3_XXS", with_imatrix), ("Q4_K", first_eighth), ("Q3_K", always)),
        },
        output="Q5_K",
    ),
    "IQ3_XS": Recipe(
        "IQ3_S",
        {
            "attn_q": _all("IQ3_XXS"),
            "attn_k": _all("IQ3_XXS"),
            "attn_v": (("Q4_K", grouped),),
            "attn_output": _eight_or(),
            "ffn_gate": (("IQ3_XXS", middle),),
            "ffn_up": (("IQ3_XXS", middle),),
        },
    ),
    "IQ3_S": Recipe("IQ3_S", {"attn_v": (("Q4_K", grouped),), "attn_output": _eight_or()}),
    "IQ3_M": Recipe(
        "IQ3_S",
        {
            "attn_v": _all("Q4_K"),
            "attn_output": _eight_or(("Q4_K", always)),
            "ffn_down": (("Q4_K", first_eighth), ("Q4_K", both(eight_experts, more_bits))),
        },
    ),
    "IQ4_NL": Recipe("IQ4_NL", _FOUR_BIT_NONLINEAR),
    "IQ4_XS": Recipe("IQ4_XS", _FOUR_BIT_NONLINEAR),
    "TQ1_0": Recipe("TQ1_0", _TERNARY),
    "TQ2_0": Recipe("TQ2_0", _TERNARY),
    "Q1_0": Recipe("Q1_0"),
    "Q2_0": Recipe("Q2_0", _TERNARY),
    "MXFP4_MOE": Recipe("Q8_0", output=None, stacked="MXFP4"),
}

# Names that llama-quantize takes for others, and MXFP4 as files of gpt-oss are labelled.
ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "MXFP4": "MXFP4_MOE"}
