# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 3.5 and MiMo V2: experts, sliding windows in most layers, several dense blocks that predict further tokens."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention
from ..blocks.feed_forward import always, dense, experts
from ..blocks.nextn import nextn
from ..hyperparameters import Hyperparameters
from ..part import MATRIX, Architecture, Entry, either, is_moe, nothing, rope_factors, sequence, vectors


def _step_has_experts(h: Hyperparameters, layer: int) -> bool:
    return is_moe(h, layer) and not h.is_nextn(layer)


def _mimo_has_experts(h: Hyperparameters, layer: int) -> bool:
    """Its GGUF has no key for the leading dense layer; there is one."""
    return layer >= h.count("leading_dense_block_count", 1) and not h.is_nextn(layer)


def _head_gate(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    yield "attn_gate.weight", (h.embedding, h.heads(layer)), MATRIX


ARCHITECTURES = {
    "step35": Architecture(
        block=sequence(
            vectors("attn_norm"),
            attention(norm="head"),
            _head_gate,
            vectors("ffn_norm"),
            either(_step_has_experts, experts(balanced=always), dense),
            nextn("eh_proj", "enorm", "hnorm", "shared_head_head", "shared_head_norm"),
        ),
        top=rope_factors("llama3"),
    ),
    "mimo2": Architecture(
        block=sequence(
            vectors("attn_norm"),
            either(Hyperparameters.is_windowed, attention(sinks=True), attention()),
            vectors("ffn_norm"),
            either(_mimo_has_experts, experts(balanced=always), dense),
            nextn("eh_proj", "enorm", "hnorm"),
            either(Hyperparameters.is_nextn, vectors("layer_output_norm")),
        ),
        top=nothing,
    ),
}
