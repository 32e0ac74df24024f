# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nemotron: Llama blocks thinned out by search (deci), and hybrids whose blocks are one thing each (nemotron_h)."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention
from ..blocks.feed_forward import dense, ungated
from ..blocks.recurrent import mamba2
from ..hyperparameters import Hyperparameters
from ..part import MATRIX, VECTOR, Architecture, Entry, either, nothing, rope_factors, sequence, vectors


def _has_heads(h: Hyperparameters, layer: int) -> bool:
    return h.heads(layer) > 0


def _attends(h: Hyperparameters, layer: int) -> bool:
    return h.kv_heads(layer) > 0


def _has_feed_forward(h: Hyperparameters, layer: int) -> bool:
    return h.feed_forward(layer) > 0


def _linear_attention(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Attention that the search replaced by one matrix."""
    yield "attn_output.weight", (h.embedding, h.embedding), MATRIX


def _experts(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Experts without a gate; those of the larger models work on a narrower, latent stream."""
    width, count, inner = h.embedding, h.experts, h.expert_width(layer)
    latent = h.count("moe_latent_size", 0)
    yield "ffn_gate_inp.weight", (width, count), VECTOR
    yield "exp_probs_b.bias", (count,), VECTOR
    if latent:
        yield "ffn_latent_down.weight", (width, latent), MATRIX
        yield "ffn_latent_up.weight", (latent, width), MATRIX
    yield "ffn_up_exps.weight", (latent or width, inner, count), MATRIX
    yield "ffn_down_exps.weight", (inner, latent or width, count), MATRIX
    shared = h.shared_expert_width(layer)
    if shared:
        yield "ffn_up_shexp.weight", (width, shared), MATRIX
        yield "ffn_down_shexp.weight", (shared, width), MATRIX


def _has_experts(h: Hyperparameters, layer: int) -> bool:
    return h.experts > 0


_ONE_THING = Architecture(
    block=sequence(
        vectors("attn_norm"),
        either(
            _attends,
            attention(),
            either(_has_feed_forward, either(_has_experts, _experts, ungated), mamba2),
        ),
    ),
    top=nothing,
)

ARCHITECTURES = {
    "deci": Architecture(
        block=sequence(
            either(_has_heads, sequence(vectors("attn_norm"), either(_attends, attention(), _linear_attention))),
            either(_has_feed_forward, sequence(vectors("ffn_norm"), dense)),
        ),
        top=rope_factors("llama3"),
    ),
    "nemotron_h": _ONE_THING,
    "nemotron_h_moe": _ONE_THING,
}
