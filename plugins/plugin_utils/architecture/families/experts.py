# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Normalised queries and keys, and mostly experts: dots.llm1, Hunyuan, Ling 2, OLMoE, Trinity (AFM)."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention, fused_attention
from ..blocks.feed_forward import always, dense, experts
from ..hyperparameters import Hyperparameters
from ..part import MATRIX, Architecture, Entry, Part, either, is_moe, nothing, sequence, vectors


def _output_gate(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    yield "attn_gate.weight", (h.embedding, h.heads(layer) * h.value_length(layer)), MATRIX


def _block(attention_part: Part, feed_forward: Part) -> Part:
    return sequence(vectors("attn_norm"), attention_part, vectors("ffn_norm"), feed_forward)


_BALANCED = either(is_moe, experts(balanced=always), dense)

ARCHITECTURES = {
    "dots1": Architecture(block=_block(attention(norm="head"), _BALANCED), top=nothing),
    "bailingmoe2": Architecture(block=_block(fused_attention(norm="head"), _BALANCED), top=nothing),
    "olmoe": Architecture(block=_block(attention(norm="all"), experts()), top=nothing),
    "hunyuan-dense": Architecture(block=_block(attention(norm="head"), dense), top=nothing, tied=True),
    "hunyuan-moe": Architecture(block=_block(attention(norm="head"), experts()), top=nothing, tied=True),
    "afmoe": Architecture(
        block=sequence(
            vectors("attn_norm"),
            attention(norm="head"),
            vectors("post_attention_norm"),
            _output_gate,
            vectors("post_ffw_norm", "ffn_norm"),
            _BALANCED,
        ),
        top=nothing,
    ),
}
