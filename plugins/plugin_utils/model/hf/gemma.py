# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json of Gemma. Their configs leave out what is transformers' default."""

from __future__ import annotations

from .config import Config
from .keys import Keys, common, heads, windowed
from .rope import rope


def gemma(c: Config, k: Keys) -> None:
    """Gemma."""
    common(c, k, tied=True)
    heads(c, k)
    rope(c, k)


def gemma2(c: Config, k: Keys) -> None:
    """Gemma 2: every second layer has a sliding window, which llama.cpp knows without a key."""
    common(c, k, tied=True)
    heads(c, k)
    rope(c, k)
    k.put(
        attention__sliding_window=c.count("sliding_window", default=0),
        attn_logit_softcapping=c.number("attn_logit_softcapping"),
        final_logit_softcapping=c.number("final_logit_softcapping"),
    )


def gemma3(c: Config, k: Keys, inner: bool = True) -> None:
    """Gemma 3: five of six layers have a sliding window."""
    common(c, k, tied=True, inner=inner)
    heads(c, k)
    rope(c, k, base=1000000.0)
    k.put(
        attention__sliding_window=c.count("sliding_window", default=0),
        final_logit_softcapping=c.number("final_logit_softcapping"),
    )


def gemma3n(c: Config, k: Keys) -> None:
    """Gemma 3n: an embedding for every layer, several copies of the residual stream."""
    gemma3(c, k, inner=False)
    layers = c.layers
    inner = c.values.get("intermediate_size")
    k.put(
        feed_forward_length=c.counts("intermediate_size", layers)[:layers]
        if isinstance(inner, (list, tuple))
        else [c.count("intermediate_size", low=1)] * layers,
        embedding_length_per_layer_input=c.count("hidden_size_per_layer_input", low=1),
        attention__shared_kv_layers=c.count("num_kv_shared_layers", default=0),
        altup__active_idx=c.count("altup_active_idx", default=0),
        altup__num_inputs=c.count("altup_num_inputs", default=4, low=2),
        attention__sliding_window_pattern=windowed(c, layers)
        if c.has("layer_types")
        else [layer % 5 != 4 for layer in range(layers)],
    )


def gemma4(c: Config, k: Keys) -> None:
    """Gemma 4: full attention has heads of its own width and number; later layers may share keys and widen."""
    common(c, k, tied=True)
    rope(c, k, base=1000000.0)
    layers = c.layers
    local = windowed(c, layers)
    narrow, wide = c.count("head_dim", low=1), c.count("global_head_dim", low=1)
    kv = c.count("num_key_value_heads", low=1)
    full_kv = c.count("num_global_key_value_heads", default=0)
    shared = c.count("num_kv_shared_layers", default=0)
    inner = c.count("intermediate_size", low=1)
    widened = c.flag("use_double_wide_mlp")
    k.put(
        feed_forward_length=[inner if layer < layers - shared else 2 * inner for layer in range(layers)]
        if widened
        else inner,
        attention__head_count=c.count("num_attention_heads", low=1),
        attention__head_count_kv=[kv if swa else full_kv for swa in local] if full_kv else kv,
        attention__key_length=wide,
        attention__value_length=wide,
        attention__key_length_swa=narrow,
        attention__value_length_swa=narrow,
        rope__dimension_count=wide,
        rope__dimension_count_swa=narrow,
        attention__sliding_window=c.count("sliding_window", default=0),
        attention__sliding_window_pattern=local,
        attention__shared_kv_layers=shared,
        embedding_length_per_layer_input=c.count("hidden_size_per_layer_input", default=0),
        final_logit_softcapping=c.number("final_logit_softcapping"),
    )
    # Its full layers turn a part of each head only, which the converter writes as factors.
    k.checkpoint(rope_factors="llama3", key_is_value=c.flag("attention_k_eq_v"))
    if c.count("num_experts", default=0):
        k.put(
            expert_count=c.count("num_experts"),
            expert_used_count=c.count("top_k_experts", "num_experts_per_tok", low=1),
            expert_feed_forward_length=c.count("expert_intermediate_size", "moe_intermediate_size", low=1),
        )
