# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models whose feed-forward has no gate: StarCoder 2, Apertus."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention
from ..blocks.feed_forward import ungated
from ..hyperparameters import Hyperparameters
from ..part import MATRIX, VECTOR, Architecture, Entry, rope_factors, sequence, vectors


def _biased(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    width, inner = h.embedding, h.feed_forward(layer)
    yield "ffn_up.weight", (width, inner), MATRIX
    yield "ffn_up.bias", (inner,), VECTOR
    yield "ffn_down.weight", (inner, width), MATRIX
    yield "ffn_down.bias", (width,), VECTOR


ARCHITECTURES = {
    "starcoder2": Architecture(
        block=sequence(
            vectors("attn_norm"),
            attention(bias="qkvo"),
            vectors("attn_norm.bias", "ffn_norm", "ffn_norm.bias"),
            _biased,
        ),
        top=vectors("output_norm.bias"),
    ),
    "apertus": Architecture(
        block=sequence(vectors("attn_norm"), attention(norm="head"), vectors("ffn_norm"), ungated),
        top=rope_factors("llama3"),
    ),
}
