# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mixers with a state instead of a cache: state-space models, delta nets, short convolutions.

Widths follow GGUF's ssm keys: `inner_size` values are carried in `time_step_rank` heads, `group_count` groups share the
projections of width `state_size` that write to and read from the state.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..hyperparameters import Hyperparameters
from ..part import MATRIX, VECTOR, Entry, Part


def mamba2(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give a Mamba-2 mixer."""
    width, inner, heads, groups, state = _sizes(h)
    convolved = inner + 2 * groups * state
    yield "ssm_in.weight", (width, inner + convolved + heads), MATRIX
    yield "ssm_conv1d.weight", (h.count("ssm.conv_kernel"), convolved), VECTOR
    yield "ssm_conv1d.bias", (convolved,), VECTOR
    yield "ssm_dt.bias", (heads,), VECTOR
    yield "ssm_a", (1, heads), VECTOR
    yield "ssm_d", (1, heads), VECTOR
    if h.checkpoint("ssm_norm", True):
        yield "ssm_norm.weight", (inner // groups, groups), VECTOR
    yield "ssm_out.weight", (inner, width), MATRIX


def mamba1(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give a Mamba mixer with Jamba's norms on time step and projections."""
    width, inner, rank, state = (
        h.embedding,
        h.count("ssm.inner_size"),
        h.count("ssm.time_step_rank"),
        h.count("ssm.state_size"),
    )
    yield "ssm_in.weight", (width, 2 * inner), MATRIX
    yield "ssm_conv1d.weight", (h.count("ssm.conv_kernel"), inner), VECTOR
    yield "ssm_conv1d.bias", (inner,), VECTOR
    yield "ssm_x.weight", (inner, rank + 2 * state), MATRIX
    yield "ssm_dt_norm.weight", (rank,), VECTOR
    yield "ssm_dt.weight", (rank, inner), MATRIX
    yield "ssm_dt.bias", (inner,), VECTOR
    yield "ssm_b_norm.weight", (state,), VECTOR
    yield "ssm_c_norm.weight", (state,), VECTOR
    yield "ssm_a", (state, inner), VECTOR
    yield "ssm_d", (inner,), VECTOR
    yield "ssm_out.weight", (inner, width), MATRIX


def delta_net(*gates: tuple[str, int]) -> Part:
    """Return a gated delta net.

    :param gates: the matrices that tell how much is forgotten and written: name, rows per head.
    """

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        width, inner, heads, groups, state = _sizes(h)
        convolved = inner + 2 * groups * state
        yield "attn_qkv.weight", (width, convolved), MATRIX
        yield "attn_gate.weight", (width, inner), MATRIX
        yield "ssm_conv1d.weight", (h.count("ssm.conv_kernel"), convolved), VECTOR
        yield "ssm_dt.bias", (heads,), VECTOR
        yield "ssm_a", (heads,), VECTOR
        for name, rows in gates:
            yield f"{name}.weight", (width, rows * heads), MATRIX
        yield "ssm_norm.weight", (inner // heads,), VECTOR
        yield "ssm_out.weight", (inner, width), MATRIX

    return entries


def kimi_delta_attention(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give Kimi Delta Attention: a delta net with a gate per channel, from low-rank projections."""
    width, heads, head = h.embedding, h.heads(layer), h.count("kda.head_dim")
    inner, kernel = heads * head, h.count("ssm.conv_kernel")
    for name in "qkv":
        yield f"attn_{name}.weight", (width, inner), MATRIX
    for name in "qkv":
        yield f"ssm_conv1d_{name}.weight", (kernel, 1, inner), VECTOR
    yield "ssm_f_a.weight", (width, head), MATRIX
    yield "ssm_f_b.weight", (head, inner), MATRIX
    yield "ssm_beta.weight", (width, heads), MATRIX
    yield "ssm_a", (1, heads), VECTOR
    yield "ssm_dt.bias", (inner,), VECTOR
    yield "ssm_g_a.weight", (width, head), MATRIX
    yield "ssm_g_b.weight", (head, inner), MATRIX
    yield "ssm_norm.weight", (head,), VECTOR
    yield "attn_output.weight", (inner, width), MATRIX


def short_convolution(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give LFM2's gated short convolution."""
    width = h.embedding
    yield "shortconv.conv.weight", (h.count("shortconv.l_cache"), width), VECTOR
    yield "shortconv.in_proj.weight", (width, 3 * width), MATRIX
    yield "shortconv.out_proj.weight", (width, width), MATRIX


def is_recurrent(h: Hyperparameters, layer: int) -> bool:
    """Tell whether `layer` keeps a state: GGUF marks such layers of hybrid models by no key and value heads."""
    return h.at("attention.head_count_kv", layer) == 0


def is_between_full_attention(h: Hyperparameters, layer: int) -> bool:
    """Tell whether `layer` keeps a state where every n-th layer is attention (`full_attention_interval`, 4 if absent)."""
    marked = h.flags("attention.recurrent_layers")
    if h.is_nextn(layer):
        return False
    if marked:
        return marked[layer]
    return (layer + 1) % max(1, h.count("full_attention_interval", 4)) != 0


def _sizes(h: Hyperparameters) -> tuple[int, int, int, int, int]:
    heads, groups = max(1, h.count("ssm.time_step_rank")), max(1, h.count("ssm.group_count"))
    return h.embedding, h.count("ssm.inner_size"), heads, groups, h.count("ssm.state_size")
