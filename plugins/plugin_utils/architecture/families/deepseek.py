# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DeepSeek V2 to V4 (and Kimi K2, GLM 4.7 Flash): latent attention, experts, sparse and compressed attention."""

from __future__ import annotations

from collections.abc import Iterator

from ..blocks.attention import indexer, latent_attention
from ..blocks.feed_forward import always, dense, experts, never, sigmoid_router
from ..blocks.nextn import nextn, own_embeddings
from ..hyperparameters import Hyperparameters
from ..part import MATRIX, VECTOR, Architecture, Entry, either, is_moe, nothing, sequence, vectors

DENSE_OR_BALANCED = either(is_moe, experts(balanced=sigmoid_router), dense)


def _grouped_attention(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """V4: one key head that is the value too, and an output projection of low rank by groups of heads."""
    width, heads, head = h.embedding, h.heads(layer), h.key_length(layer)
    query, groups, rank = (
        h.count("attention.q_lora_rank"),
        h.count("attention.output_group_count"),
        h.count("attention.output_lora_rank"),
    )
    yield "attn_sinks.weight", (heads,), VECTOR
    yield "attn_q_a.weight", (width, query), MATRIX
    yield "attn_q_a_norm.weight", (query,), VECTOR
    yield "attn_q_b.weight", (query, heads * head), MATRIX
    yield "attn_kv.weight", (width, head), MATRIX
    yield "attn_kv_a_norm.weight", (head,), VECTOR
    yield "attn_output_a.weight", (heads * head // max(1, groups), groups * rank), MATRIX
    yield "attn_output_b.weight", (groups * rank, width), MATRIX


def _hyper_connections(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """The residual stream is carried several times; a small map mixes the copies around each half of a block."""
    copies = h.count("hyper_connection.count")
    mixed = (2 + copies) * copies
    for half in ("attn", "ffn"):
        yield f"hc_{half}_fn.weight", (copies * h.embedding, mixed), VECTOR
        yield f"hc_{half}_base.weight", (mixed,), VECTOR
        yield f"hc_{half}_scale.weight", (3,), VECTOR


def _hyper_connection_output(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    copies = h.count("hyper_connection.count")
    yield "output_hc_fn.weight", (copies * h.embedding, copies), VECTOR
    yield "output_hc_base.weight", (copies,), VECTOR
    yield "output_hc_scale.weight", (1,), VECTOR


def _compressed_keys(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Layers with a compression ratio keep one key per that many tokens; at ratio 4 windows overlap and an indexer picks."""
    ratio = h.at("attention.compress_ratios", layer)
    if not ratio:
        return
    overlapping = ratio == 4
    head = h.key_length(layer)
    yield from _compressor(h, "attn_compressor", head, ratio, overlapping)
    if overlapping:
        heads, key = h.count("attention.indexer.head_count"), h.count("attention.indexer.key_length")
        yield "indexer.proj.weight", (h.embedding, heads), VECTOR
        yield "indexer.attn_q_b.weight", (h.count("attention.q_lora_rank"), heads * key), MATRIX
        yield from _compressor(h, "indexer_compressor", key, ratio, overlapping)


def _compressor(h: Hyperparameters, name: str, head: int, ratio: int, overlapping: bool) -> Iterator[Entry]:
    rows = head * (2 if overlapping else 1)
    yield f"{name}_kv.weight", (h.embedding, rows), MATRIX
    yield f"{name}_gate.weight", (h.embedding, rows), MATRIX
    yield f"{name}_ape.weight", (rows, ratio), VECTOR
    yield f"{name}_norm.weight", (head,), VECTOR


def _is_hashed(h: Hyperparameters, layer: int) -> bool:
    """V4's first layers choose experts by the token's number instead of a router's scores."""
    return layer < h.count("hash_layer_count", 0)


def _token_experts(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    yield "ffn_gate_tid2eid.weight", (h.count("expert_used_count"), h.vocabulary), "I32"


def _sparse(own: bool) -> Architecture:
    """V3.2 and GLM 5: `own` tells whether the prediction block has an embedding and an output matrix of its own."""
    return Architecture(
        block=sequence(
            vectors("attn_norm"),
            latent_attention,
            indexer,
            vectors("ffn_norm"),
            DENSE_OR_BALANCED,
            nextn("eh_proj", "enorm", "hnorm", "shared_head_norm"),
            either(own_embeddings(default=own), nextn("embed_tokens", "shared_head_head")),
        ),
        top=nothing,
    )


ARCHITECTURES = {
    "deepseek2": Architecture(
        block=sequence(vectors("attn_norm"), latent_attention, vectors("ffn_norm"), DENSE_OR_BALANCED), top=nothing
    ),
    "deepseek32": _sparse(own=True),
    "glm-dsa": _sparse(own=False),
    "deepseek4": Architecture(
        block=sequence(
            vectors("attn_norm"),
            _grouped_attention,
            _hyper_connections,
            _compressed_keys,
            vectors("ffn_norm"),
            either(_is_hashed, sequence(experts(never), _token_experts), experts(always)),
        ),
        top=_hyper_connection_output,
    ),
}
