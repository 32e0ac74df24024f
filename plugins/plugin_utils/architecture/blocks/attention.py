# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Softmax attention: projections of queries, keys and values, in all the forms they are stored in."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ..hyperparameters import Hyperparameters
from ..part import MATRIX, VECTOR, Entry, Part

# A norm over each head (as wide as a head), or over all heads at once.
Norm = t.Literal["head", "all"]


def attention(
    bias: str = "", norm: Norm | None = None, sinks: bool = False, gated_query: bool = False, normed: bool = True
) -> Part:
    """Return multi-head attention with separate q, k, v matrices.

    :param bias: which of q, k, v, o have a bias, where the checkpoint does not tell.
    :param norm: how queries and keys are normalised, if they are.
    :param sinks: each head has a sink, a logit that no key stands behind.
    :param gated_query: the query matrix is twice as wide: the second half gates the output.
    :param normed: whether they are normalised where the checkpoint does not tell.
    """

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        width, heads, kv = h.embedding, h.heads(layer), h.kv_heads(layer)
        key, value = h.key_length(layer), h.value_length(layer)
        query = heads * key * (2 if gated_query else 1)
        yield "attn_q.weight", (width, query), MATRIX
        yield "attn_k.weight", (width, kv * key), MATRIX
        yield "attn_v.weight", (width, kv * value), MATRIX
        yield "attn_output.weight", (heads * value, width), MATRIX
        biased = h.checkpoint("attention_bias", bias)
        for letter, name, rows in zip("qkvo", _NAMES, (query, kv * key, kv * value, width), strict=True):
            if letter in biased:
                yield f"attn_{name}.bias", (rows,), VECTOR
        if sinks:
            yield "attn_sinks.weight", (heads,), VECTOR
        if norm and h.checkpoint("qk_norm", normed):
            yield from _norms(norm, heads, kv, key)

    return entries


def fused_attention(norm: Norm | None = None) -> Part:
    """Return multi-head attention whose q, k, v are rows of one matrix."""

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        width, heads, kv = h.embedding, h.heads(layer), h.kv_heads(layer)
        key, value = h.key_length(layer), h.value_length(layer)
        yield "attn_qkv.weight", (width, heads * key + kv * (key + value)), MATRIX
        yield "attn_output.weight", (heads * value, width), MATRIX
        if norm and h.checkpoint("qk_norm", True):
            yield from _norms(norm, heads, kv, key)

    return entries


def latent_attention(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give multi-head latent attention (MLA) as llama.cpp stores it: the key and value expansions split by head.

    `attention.key_length` is what the cache holds per token: the latent vector and the rotated part.
    """
    width, heads = h.embedding, h.heads(layer)
    key, value = h.count("attention.key_length_mla"), h.count("attention.value_length_mla")
    latent = h.count("attention.kv_lora_rank")
    rotated = h.count("rope.dimension_count")
    if h.count("attention.q_lora_rank", 0):
        rank = h.count("attention.q_lora_rank")
        yield "attn_q_a.weight", (width, rank), MATRIX
        yield "attn_q_a_norm.weight", (rank,), VECTOR
        yield "attn_q_b.weight", (rank, heads * key), MATRIX
    else:
        yield "attn_q.weight", (width, heads * key), MATRIX
    yield "attn_kv_a_mqa.weight", (width, latent + rotated), MATRIX
    yield "attn_kv_a_norm.weight", (latent,), VECTOR
    yield "attn_k_b.weight", (key - rotated, latent, heads), MATRIX
    yield "attn_v_b.weight", (latent, value, heads), MATRIX
    yield "attn_output.weight", (heads * value, width), MATRIX


def indexer(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give the lightning indexer of DeepSeek's sparse attention, which picks the keys a query looks at.

    Where `attention.indexer.types` is given, only the layers marked in it own one; the others use their predecessor's.
    Prediction layers own one, whether it tells of them or not.
    Without the key, llama.cpp takes a GLM with a context of a million tokens for GLM 5.2: all in the first two layers,
    then one in four.
    """
    own = h.flags("attention.indexer.types", least=h.layers - h.nextn)
    if own and not h.is_nextn(layer) and not own[layer]:
        return
    is_glm_52 = not own and h.architecture == "glm-dsa" and h.count("context_length", 0) >= 2**20
    if is_glm_52 and not h.is_nextn(layer) and layer > 1 and layer % 4 != 2:
        return
    heads, key = h.count("attention.indexer.head_count"), h.count("attention.indexer.key_length")
    yield "indexer.k_norm.weight", (key,), VECTOR
    yield "indexer.k_norm.bias", (key,), VECTOR
    yield "indexer.proj.weight", (h.embedding, heads), VECTOR
    yield "indexer.attn_k.weight", (h.embedding, key), MATRIX
    yield "indexer.attn_q_b.weight", (h.count("attention.q_lora_rank"), heads * key), MATRIX


def _norms(norm: Norm, heads: int, kv_heads: int, width: int) -> Iterator[Entry]:
    per_head = norm == "head"
    yield "attn_q_norm.weight", (width if per_head else heads * width,), VECTOR
    yield "attn_k_norm.weight", (width if per_head else kv_heads * width,), VECTOR


_NAMES = ("q", "k", "v", "output")
