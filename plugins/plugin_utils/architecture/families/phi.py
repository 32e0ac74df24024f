# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Phi 3, Phi 4 and Phi 3.5 MoE."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention, fused_attention
from ..blocks.feed_forward import experts, fused
from ..hyperparameters import Hyperparameters
from ..part import VECTOR, Architecture, Entry, rope_factors, sequence, vectors


def _output_biases(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    yield "output_norm.bias", (h.embedding,), VECTOR
    yield "output.bias", (h.vocabulary,), VECTOR


ARCHITECTURES = {
    "phi3": Architecture(
        block=sequence(vectors("attn_norm"), fused_attention(), vectors("ffn_norm"), fused), top=rope_factors()
    ),
    "phimoe": Architecture(
        block=sequence(
            vectors("attn_norm"),
            attention(bias="qkvo"),
            vectors("attn_norm.bias", "ffn_norm.bias", "ffn_norm"),
            experts(),
        ),
        top=sequence(_output_biases, rope_factors("longrope")),
    ),
}
