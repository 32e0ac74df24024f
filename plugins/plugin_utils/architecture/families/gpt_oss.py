# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gpt-oss: experts and attention with biases, a sink in every head."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention
from ..blocks.feed_forward import experts
from ..hyperparameters import Hyperparameters
from ..part import VECTOR, Architecture, Entry, nothing, sequence, vectors


def _expert_biases(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    count, inner = h.experts, h.expert_width(layer)
    yield "ffn_gate_inp.bias", (count,), VECTOR
    yield "ffn_gate_exps.bias", (inner, count), VECTOR
    yield "ffn_up_exps.bias", (inner, count), VECTOR
    yield "ffn_down_exps.bias", (h.embedding, count), VECTOR


ARCHITECTURES = {
    "gpt-oss": Architecture(
        block=sequence(
            vectors("attn_norm"),
            attention(bias="qkvo", sinks=True),
            vectors("post_attention_norm"),
            experts(),
            _expert_biases,
        ),
        top=nothing,
    )
}
