# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gemma: from its second generation norms on both sides of every part, later an embedding for every layer of the small ones."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import attention
from ..blocks.feed_forward import dense
from ..hyperparameters import Hyperparameters
from ..part import MATRIX, VECTOR, Architecture, Entry, Part, either, nothing, rope_factors, sequence, vectors

_LAUREL_RANK = 64  # llama.cpp's loader has it as a constant


def _block(attention_part: Part, *more: Part) -> Part:
    return sequence(
        vectors("attn_norm"),
        attention_part,
        vectors("post_attention_norm", "ffn_norm"),
        dense,
        vectors("post_ffw_norm"),
        *more,
    )


def _has_layer_embeddings(h: Hyperparameters, layer: int) -> bool:
    return h.count("embedding_length_per_layer_input", 0) > 0


def _layer_embeddings(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    each = h.count("embedding_length_per_layer_input")
    yield "per_layer_token_embd.weight", (each * h.layers, h.vocabulary), MATRIX
    yield "per_layer_model_proj.weight", (h.embedding, each * h.layers), MATRIX
    yield "per_layer_proj_norm.weight", (each,), VECTOR


def _layer_input(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    each = h.count("embedding_length_per_layer_input")
    yield "inp_gate.weight", (h.embedding, each), MATRIX
    yield "proj.weight", (each, h.embedding), MATRIX
    yield "post_norm.weight", (h.embedding,), VECTOR


def _alternating_updates(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    inputs, width = h.count("altup.num_inputs"), h.embedding
    yield "altup_correct_coef.weight", (inputs, inputs), VECTOR
    yield "altup_correct_scale.weight", (width,), VECTOR
    yield "altup_predict_coef.weight", (inputs, inputs * inputs), VECTOR
    yield "altup_router.weight", (width, inputs), MATRIX
    yield "altup_router_norm.weight", (width,), VECTOR
    yield "laurel_l.weight", (width, _LAUREL_RANK), MATRIX
    yield "laurel_r.weight", (_LAUREL_RANK, width), MATRIX
    yield "laurel_post_norm.weight", (width,), VECTOR


def _stream_projections(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    copies = h.count("altup.num_inputs") - 1
    yield "altup_proj.weight", (h.embedding, h.embedding, copies), MATRIX
    yield "altup_unembd_proj.weight", (h.embedding, h.embedding, copies), MATRIX


def _gemma4_attention(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Full layers of the larger models use their keys as values."""
    shared = h.checkpoint("key_is_value", False) and not h.is_windowed(layer)
    for entry in _NORMED_ATTENTION(h, layer):
        if not (shared and entry[0] == "attn_v.weight"):
            yield entry


def _gemma4_experts(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Experts beside the dense network, gate and up in one tensor, with scales on router and output."""
    width, count, inner = h.embedding, h.experts, h.expert_width(layer)
    yield "ffn_gate_inp.weight", (width, count), VECTOR
    yield "ffn_gate_inp.scale", (width,), VECTOR
    yield from vectors("pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2")(h, layer)
    yield "ffn_gate_up_exps.weight", (width, 2 * inner, count), MATRIX
    yield "ffn_down_exps.weight", (inner, width, count), MATRIX
    yield "ffn_down_exps.scale", (count,), VECTOR


def _output_scale(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    yield "layer_output_scale.weight", (1,), VECTOR


def _has_experts(h: Hyperparameters, layer: int) -> bool:
    return h.experts > 0


_NORMED_ATTENTION = attention(norm="head")

ARCHITECTURES = {
    "gemma": Architecture(
        block=sequence(vectors("attn_norm"), attention(), vectors("ffn_norm"), dense), top=nothing, tied=True
    ),
    "gemma2": Architecture(block=_block(attention()), top=nothing, tied=True),
    "gemma3": Architecture(block=_block(_NORMED_ATTENTION), top=nothing, tied=True),
    "gemma3n": Architecture(
        block=_block(_NORMED_ATTENTION, _layer_input, _alternating_updates),
        top=sequence(_stream_projections, _layer_embeddings),
        tied=True,
    ),
    "gemma4": Architecture(
        block=_block(
            _gemma4_attention,
            _output_scale,
            either(_has_experts, _gemma4_experts),
            either(_has_layer_embeddings, _layer_input),
        ),
        top=sequence(rope_factors("llama3"), either(_has_layer_embeddings, _layer_embeddings)),
        tied=True,
    ),
}
