# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Llama, and the models that kept its block: Mistral, Mixtral, SmolLM 3, InternLM 2, EXAONE 3, Seed-OSS."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention
from ..blocks.feed_forward import dense, experts, shared_expert
from ..hyperparameters import Hyperparameters
from ..part import Architecture, Entry, either, is_moe, rope_factors, sequence, vectors


def _chosen_expert(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Llama 4: one expert of many, and always a shared one as wide as it."""
    yield from experts()(h, layer)
    yield from shared_expert(h, h.expert_width(layer))


def _interleaved(h: Hyperparameters, layer: int) -> bool:
    return (layer + 1) % max(1, h.count("interleave_moe_layer_step")) == 0


_LLAMA = Architecture(
    block=sequence(vectors("attn_norm"), attention(), vectors("ffn_norm"), either(is_moe, experts(), dense)),
    top=rope_factors(),
)

ARCHITECTURES = {
    "llama": _LLAMA,
    "mistral3": _LLAMA,
    "internlm2": _LLAMA,
    "exaone": _LLAMA,
    "smollm3": Architecture(block=_LLAMA.block, top=_LLAMA.top, tied=True),
    "seed_oss": Architecture(
        block=sequence(vectors("attn_norm"), attention(bias="qkv"), vectors("post_attention_norm"), dense),
        top=rope_factors(),
    ),
    "llama4": Architecture(
        block=sequence(
            vectors("attn_norm"), attention(), vectors("ffn_norm"), either(_interleaved, _chosen_expert, dense)
        ),
        top=rope_factors("llama3"),
    ),
}
