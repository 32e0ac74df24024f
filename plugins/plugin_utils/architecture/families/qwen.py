# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Qwen 2 to 3.6: dense, mixtures of experts, vision models' language part, and the hybrids with delta nets."""

from __future__ import annotations

from ..blocks.attention import attention
from ..blocks.feed_forward import dense, experts
from ..blocks.nextn import nextn
from ..blocks.recurrent import delta_net, is_between_full_attention
from ..part import Architecture, either, rope_factors, sequence, vectors

_QWEN2 = Architecture(
    block=sequence(vectors("attn_norm"), attention(bias="qkv"), vectors("ffn_norm"), dense), top=rope_factors()
)
_QWEN2_MOE = Architecture(
    block=sequence(vectors("attn_norm"), attention(bias="qkv"), vectors("ffn_norm"), experts(shared_gate=True)),
    top=rope_factors(),
)
_QWEN3 = Architecture(
    block=sequence(vectors("attn_norm"), attention(norm="head"), vectors("ffn_norm"), dense), top=rope_factors()
)
_QWEN3_MOE = Architecture(
    block=sequence(vectors("attn_norm"), attention(norm="head"), vectors("ffn_norm"), experts()), top=rope_factors()
)


def _hybrid(gates: tuple[tuple[str, int], ...], moe: bool) -> Architecture:
    return Architecture(
        block=sequence(
            vectors("attn_norm"),
            either(is_between_full_attention, delta_net(*gates), attention(norm="head", gated_query=True)),
            vectors("post_attention_norm"),
            experts(shared_gate=True) if moe else dense,
            nextn("eh_proj", "enorm", "hnorm", "shared_head_norm"),
        ),
        top=rope_factors(),
    )


_ONE_MATRIX = (("ssm_ba", 2),)
_TWO_MATRICES = (("ssm_beta", 1), ("ssm_alpha", 1))

ARCHITECTURES = {
    "qwen2": _QWEN2,
    "qwen2vl": _QWEN2,
    "qwen2moe": _QWEN2_MOE,
    "qwen3": _QWEN3,
    "qwen3vl": _QWEN3,
    "qwen3moe": _QWEN3_MOE,
    "qwen3vlmoe": _QWEN3_MOE,
    "qwen3next": _hybrid(_ONE_MATRIX, moe=True),
    "qwen35": _hybrid(_TWO_MATRICES, moe=False),
    "qwen35moe": _hybrid(_TWO_MATRICES, moe=True),
}
