# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json of mixtures of experts with ordinary attention."""

from __future__ import annotations

from .config import Config
from .keys import Keys, biases, common, heads, rotated
from .rope import rope

# llama.cpp's expert_gating_func; dots.llm1 calls its sigmoid by the balancing that goes with it.
GATING = {"softmax": 1, "sigmoid": 2, "noaux_tc": 2, "sqrtsoftplus": 4}

NO_MTP = "the model's blocks for multi-token prediction are left out"


def experts(c: Config, k: Keys, scoring: str = "softmax") -> None:
    """Put the keys of experts under the names that DeepSeek's, Qwen's and GLM's configs share."""
    shared = c.count("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", default=0)
    score = c.text("scoring_func", "score_function", "score_func", "moe_router_activation_func", default=scoring)
    k.put(
        expert_count=c.count("n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts", low=1),
        expert_used_count=c.count("num_experts_per_tok", "num_experts_per_token", "moe_k", "top_k_experts", low=1),
        expert_feed_forward_length=c.count("moe_intermediate_size", low=1),
        expert_shared_count=shared or None,
        expert_weights_scale=c.number("routed_scaling_factor", "route_scale", "moe_router_scaling_factor"),
        expert_weights_norm=c.flag("norm_topk_prob", c.flag("route_norm", c.flag("moe_renormalize"))) or None,
        expert_gating_func=GATING.get(score),
        expert_group_count=c.count("n_group", default=0) or None,
        expert_group_used_count=c.count("topk_group", default=0) or None,
        leading_dense_block_count=c.count("first_k_dense_replace", "num_dense_layers", default=0) or None,
    )


def mtp_blocks(c: Config, k: Keys, count: int, usual: bool = True) -> int:
    """Count the blocks for multi-token prediction like further layers, and return how many there are.

    :param usual: whether published files of the architecture have them.
    """
    if not count:
        return 0
    if not (usual if k.mtp is None else k.mtp):
        k.warnings.append(NO_MTP)
        return 0
    k.put(block_count=c.layers + count, nextn_predict_layers=count)
    return count


def qwen_moe(c: Config, k: Keys) -> None:
    """Qwen 2 MoE, Qwen 3 MoE and the language part of Qwen 3 VL MoE."""
    if c.count("decoder_sparse_step", default=1) != 1 or c.values.get("mlp_only_layers"):
        k.warnings.append("some layers are dense here, which llama.cpp has no key for: all were taken to have experts")
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    experts(c, k)
    k.put(expert_shared_feed_forward_length=c.count("shared_expert_intermediate_size", default=0) or None)
    vision = c.section("vision_config")
    if vision.has("deepstack_visual_indexes"):
        k.put(n_deepstack_layers=len(vision.counts("deepstack_visual_indexes", 0)))


def llama4(c: Config, k: Keys) -> None:
    """Llama 4: `intermediate_size` is the experts' width."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k, base=500000.0)
    k.put(
        feed_forward_length=c.count("intermediate_size_mlp", low=1),
        expert_feed_forward_length=c.count("intermediate_size", low=1),
        expert_count=c.count("num_local_experts", low=1),
        expert_used_count=c.count("num_experts_per_tok", low=1),
        interleave_moe_layer_step=c.count("interleave_moe_layer_step", default=1, low=1),
    )
    biases(c, k)


def gpt_oss(c: Config, k: Keys) -> None:
    """gpt-oss: experts as wide as `intermediate_size`."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k, base=150000.0)
    k.put(
        expert_count=c.count("num_local_experts", "num_experts", low=1),
        expert_used_count=c.count("num_experts_per_tok", "experts_per_token", low=1),
        expert_feed_forward_length=c.count("intermediate_size", low=1),
        attention__sliding_window=c.count("sliding_window", default=0),
    )


def glm4v_moe(c: Config, k: Keys) -> None:
    """GLM 4.5V and 4.6V: published without the prediction block."""
    glm4_moe(c, k, mtp=False)


def glm4_moe(c: Config, k: Keys, mtp: bool = True) -> None:
    """GLM 4.5 to 4.7: the prediction block is converted too."""
    common(c, k)
    heads(c, k)
    rotated(c, k, factor=0.5)
    rope(c, k)
    experts(c, k, scoring="sigmoid")
    biases(c, k, letters="qkv")
    k.checkpoint(qk_norm=c.flag("use_qk_norm"))
    mtp_blocks(c, k, c.count("num_nextn_predict_layers", default=0, high=16), usual=mtp)


def dots1(c: Config, k: Keys) -> None:
    """dots.llm1."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    experts(c, k, scoring="sigmoid")
    biases(c, k)


def ernie(c: Config, k: Keys) -> None:
    """ERNIE 4.5, dense or with experts."""
    common(c, k, tied=True)
    heads(c, k)
    rotated(c, k)
    rope(c, k, base=500000.0)
    k.checkpoint(attention_bias="qkvo" if c.flag("use_bias") else "")
    if not c.count("moe_num_experts", default=0):
        return
    experts(c, k)
    shared = c.count("moe_num_shared_experts", default=0)
    k.put(
        interleave_moe_layer_step=c.count("moe_layer_interval", default=1, low=1),
        leading_dense_block_count=c.count("moe_layer_start_index", default=0),
        expert_shared_feed_forward_length=shared * c.count("moe_intermediate_size") or None,
        expert_gating_func=None,
    )


def olmoe(c: Config, k: Keys) -> None:
    """OLMoE: experts as wide as `intermediate_size`."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    k.put(expert_count=c.count("num_experts", low=1), expert_used_count=c.count("num_experts_per_tok", low=1))


def hunyuan_dense(c: Config, k: Keys) -> None:
    """Hunyuan 0.5B to 7B."""
    common(c, k, tied=True)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    k.checkpoint(qk_norm=c.flag("use_qk_norm", True))


def hunyuan_moe(c: Config, k: Keys) -> None:
    """Hunyuan A13B: several keys are lists with one value per layer, all equal."""
    common(c, k, tied=True)
    heads(c, k)
    k.put(
        attention__key_length=c.count("attention_head_dim", default=c.head_width),
        attention__value_length=c.count("attention_head_dim", default=c.head_width),
    )
    rotated(c, k)
    rope(c, k)
    width = _same(c, "moe_intermediate_size")
    shared = _same(c, "num_shared_expert")
    k.put(
        expert_count=_same(c, "num_experts"),
        expert_used_count=_same(c, "moe_topk"),
        expert_feed_forward_length=width,
        expert_shared_count=shared,
        expert_shared_feed_forward_length=width * shared,
    )
    k.checkpoint(qk_norm=c.flag("use_qk_norm", True))


def _same(c: Config, name: str) -> int:
    if isinstance(c.values.get(name), (list, tuple)):
        return c.counts(name, 1)[0]
    return c.count(name)


def bailing_moe2(c: Config, k: Keys) -> None:
    """Ling 2 and Ring 2."""
    common(c, k)
    heads(c, k)
    rotated(c, k, factor=0.5)
    rope(c, k)
    experts(c, k, scoring="sigmoid")
    shared = c.count("num_shared_experts", default=0)
    k.put(
        expert_shared_feed_forward_length=shared
        * c.count("moe_shared_expert_intermediate_size", "moe_intermediate_size")
        or None
    )
    k.checkpoint(qk_norm=c.flag("use_qk_norm", True))


def afmoe(c: Config, k: Keys) -> None:
    """Trinity (AFM)."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    experts(c, k, scoring="sigmoid")
    k.put(attention__sliding_window=c.count("sliding_window", default=0))


def minimax_m2(c: Config, k: Keys) -> None:
    """MiniMax M2: experts as wide as `intermediate_size`."""
    common(c, k)
    heads(c, k)
    rope(c, k)
    k.put(
        rope__dimension_count=c.count("rotary_dim", default=c.head_width),
        expert_count=c.count("num_local_experts", low=1),
        expert_used_count=c.count("num_experts_per_tok", low=1),
        expert_feed_forward_length=c.count("intermediate_size", low=1),
        expert_gating_func=GATING.get(c.text("scoring_func", default="sigmoid")),
    )


def minimax_m3(c: Config, k: Keys) -> None:
    """MiniMax M3: dense blocks first, sparse attention over blocks of keys."""
    minimax_m2(c, k)
    sparse = c.section("sparse_attention_config")
    dense = next((place for place, kind in enumerate(c.counts("moe_layer_freq", c.layers)) if kind), c.layers)
    k.put(
        feed_forward_length=c.count("dense_intermediate_size", "intermediate_size_mlp", low=1),
        expert_shared_count=c.count("n_shared_experts", default=0) or None,
        expert_weights_scale=c.number("routed_scaling_factor"),
        expert_weights_norm=True,
        leading_dense_block_count=dense,
        attention__indexer__head_count=sparse.count("sparse_num_index_heads", low=1),
        attention__indexer__key_length=sparse.count("sparse_index_dim", low=1),
        attention__indexer__top_k=sparse.count("sparse_topk_blocks", low=1),
        attention__indexer__block_size=sparse.count("sparse_block_size", low=1),
        attention__indexer__local_blocks=sparse.count("sparse_local_block"),
    )


def step35(c: Config, k: Keys) -> None:
    """Step 3.5: windowed layers have heads of their own number; prediction blocks are converted too."""
    common(c, k)
    heads(c, k)
    mtp = mtp_blocks(c, k, c.count("num_nextn_predict_layers", default=0, high=16))
    local = [kind == "sliding_attention" for kind in c.texts("layer_types", c.layers)]
    local = (local + [False] * mtp)[: c.layers + mtp]  # the list may go on over the prediction blocks
    other = c.section("attention_other_setting")
    full_heads, full_kv = c.count("num_attention_heads", low=1), c.count("num_attention_groups", low=1)
    swa_heads = other.count("num_attention_heads", default=full_heads)
    swa_kv = other.count("num_attention_groups", default=full_kv)
    k.put(
        attention__head_count=[swa_heads if swa else full_heads for swa in local],
        attention__head_count_kv=[swa_kv if swa else full_kv for swa in local],
        attention__sliding_window=c.count("sliding_window", low=1),
        attention__sliding_window_pattern=local,
        rope__dimension_count=c.head_width,
        expert_count=c.count("moe_num_experts", low=1),
        expert_used_count=c.count("moe_top_k", low=1),
        expert_feed_forward_length=c.count("moe_intermediate_size", low=1),
        expert_shared_feed_forward_length=c.count("share_expert_dim", low=1),
        expert_weights_scale=c.number("moe_router_scaling_factor"),
        expert_weights_norm=c.flag("norm_expert_weight") or None,
        expert_gating_func=GATING.get(c.text("moe_router_activation", default="sigmoid")),
        leading_dense_block_count=_first(c.text("moe_layers_enum")),
    )
    rope(c, k)


def _first(listed: str) -> int:
    """Return the first number of text such as '3,4,5'."""
    first = listed.split(",")[0].strip()
    return int(first) if first.isdecimal() and len(first) < 5 else 0


def mimo2(c: Config, k: Keys) -> None:
    """MiMo V2: its config does not tell the three prediction blocks that its checkpoints have."""
    common(c, k)
    mtp = mtp_blocks(c, k, 3)
    local = [bool(kind) for kind in c.counts("hybrid_layer_pattern", c.layers)[: c.layers]] + [True] * mtp
    full, swa = c.count("num_key_value_heads", low=1), c.count("swa_num_key_value_heads", low=1)
    k.put(
        attention__head_count=c.count("num_attention_heads", low=1),
        attention__head_count_kv=[swa if windowed_layer else full for windowed_layer in local],
        attention__key_length=c.count("head_dim", low=1),
        attention__value_length=c.count("v_head_dim", low=1),
        attention__sliding_window=c.count("sliding_window", low=1),
        attention__sliding_window_pattern=local,
        attention__value_scale=c.number("attention_value_scale"),
    )
    experts(c, k, scoring="sigmoid")
    rotated(c, k, factor=1.0)
    rope(c, k)
