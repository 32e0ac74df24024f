# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tensor is to llama-quantize, by its name: whether it is quantised at all, and which rules look at it."""

from __future__ import annotations

import functools

from .recipes import Kind

# Matrices that keep their type (`tensor_allows_quantization` in llama.cpp's src/llama-quant.cpp): small, or read unrounded.
_KEPT = (
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
)

# Looked for anywhere in the name, in this order (`tensor_get_category`).
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("attn_qkv.weight", "attn_v"),
    ("attn_kv_b.weight", "attn_v"),
    ("attn_v.weight", "attn_v"),
    ("attn_k.weight", "attn_k"),
    ("attn_q.weight", "attn_q"),
    ("attn_output.weight", "attn_output"),
    ("ffn_up", "ffn_up"),
    ("ffn_gate", "ffn_gate"),
    ("ffn_down", "ffn_down"),
)


def split_name(name: str) -> tuple[int, str]:
    """Return the block's number and the rest of the name; -1 and the name for tensors outside the blocks."""
    if name.startswith("blk."):
        number, _dot, rest = name[4:].partition(".")
        if number.isdecimal():
            return int(number), rest
    return -1, name


# The names within a block are few; the bound is for names made up to be many.
@functools.lru_cache(maxsize=1024)
def kind_of(name: str) -> tuple[bool, Kind]:
    """Return whether a matrix of this name (without its block) is quantised, and its kind."""
    allowed = name.endswith("weight") and not any(part in name for part in _KEPT)
    if name == "output.weight":
        return allowed, "output"
    if name in ("token_embd.weight", "per_layer_token_embd.weight"):
        return allowed, "embedding"
    for part, kind in _KINDS:
        if part in name:
            return allowed, kind
    return allowed, "other"
