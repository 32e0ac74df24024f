# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json of models with latent attention: DeepSeek, Kimi K2, GLM 4.7 Flash, GLM 5."""

from __future__ import annotations

from .config import Config
from .experts import GATING, NO_MTP, experts, mtp_blocks
from .keys import Keys, common
from .rope import rope


def latent(c: Config, k: Keys) -> None:
    """Put the widths of latent attention, cached as one key head of latent vector and rotated part."""
    rank, rotated_part = c.count("kv_lora_rank", low=1), c.count("qk_rope_head_dim", low=1)
    k.put(
        attention__head_count=c.count("num_attention_heads", low=1),
        attention__head_count_kv=1,
        attention__q_lora_rank=c.count("q_lora_rank", default=0) or None,
        attention__kv_lora_rank=rank,
        attention__key_length=rank + rotated_part,
        attention__value_length=rank,
        attention__key_length_mla=c.count("qk_nope_head_dim", low=1) + rotated_part,
        attention__value_length_mla=c.count("v_head_dim", low=1),
        rope__dimension_count=rotated_part,
    )


def _deepseek(c: Config, k: Keys, scoring: str) -> None:
    common(c, k)
    latent(c, k)
    rope(c, k)
    scaling = c.section("rope_parameters", "rope_scaling").number("mscale_all_dim")
    k.put(rope__scaling__yarn_log_multiplier=None if scaling is None else 0.1 * scaling)
    if c.count("n_routed_experts", default=0):
        experts(c, k, scoring=scoring)
    else:
        k.put(leading_dense_block_count=c.layers, expert_feed_forward_length=c.count("intermediate_size", low=1))


def deepseek2(c: Config, k: Keys) -> None:
    """DeepSeek V2: the router scores by softmax."""
    _deepseek(c, k, "softmax")


def deepseek3(c: Config, k: Keys) -> None:
    """DeepSeek V3, Kimi K2, GLM 4.7 Flash: the converter leaves out blocks for multi-token prediction."""
    _deepseek(c, k, "sigmoid")
    if c.count("num_nextn_predict_layers", default=0):
        k.warnings.append(NO_MTP)


def sparse(c: Config, k: Keys) -> None:
    """DeepSeek V3.2 and GLM 5: an indexer picks keys; the prediction block is converted too."""
    _deepseek(c, k, "sigmoid")
    mtp_blocks(c, k, c.count("num_nextn_predict_layers", default=0, high=16))
    k.put(
        attention__indexer__head_count=c.count("index_n_heads", low=1),
        attention__indexer__key_length=c.count("index_head_dim", low=1),
        attention__indexer__top_k=c.count("index_topk", low=1),
    )
    if c.has("indexer_types"):
        own = [kind == "full" for kind in c.texts("indexer_types", c.layers)][: c.layers]
        k.put(attention__indexer__types=own)


def deepseek4(c: Config, k: Keys) -> None:
    """DeepSeek V4: compressed keys, hyper-connections, experts by token number in the first layers."""
    common(c, k, inner=False)
    experts(c, k, scoring="sqrtsoftplus")
    rope(c, k)
    head = c.count("head_dim", low=1)
    k.put(
        attention__head_count=c.count("num_attention_heads", low=1),
        attention__head_count_kv=c.count("num_key_value_heads", default=1),
        attention__key_length=head,
        attention__value_length=head,
        rope__dimension_count=c.count("qk_rope_head_dim", low=1),
        attention__q_lora_rank=c.count("q_lora_rank", low=1),
        attention__output_lora_rank=c.count("o_lora_rank", low=1),
        attention__output_group_count=c.count("o_groups", low=1),
        attention__compress_ratios=c.counts("compress_ratios", c.layers),
        attention__compress_rope_freq_base=c.number("compress_rope_theta"),
        attention__sliding_window=c.count("sliding_window", default=0),
        attention__indexer__head_count=c.count("index_n_heads", low=1),
        attention__indexer__key_length=c.count("index_head_dim", low=1),
        attention__indexer__top_k=c.count("index_topk", low=1),
        hash_layer_count=min(c.count("num_hash_layers", default=0), c.layers),
        hyper_connection__count=c.count("hc_mult", low=1),
        hyper_connection__sinkhorn_iterations=c.count("hc_sinkhorn_iters", default=0) or None,
        hyper_connection__epsilon=c.number("hc_eps"),
        embedding_length_out=c.count("hc_mult") * c.count("hidden_size"),
        expert_gating_func=GATING.get(c.text("scoring_func", default="sqrtsoftplus")),
    )
