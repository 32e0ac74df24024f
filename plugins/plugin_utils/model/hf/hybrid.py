# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json of models that mix attention with recurrent layers."""

from __future__ import annotations

from .config import Config
from .dense import granite, granite_scales
from .experts import experts, mtp_blocks
from .keys import Keys, biases, common, heads, rotated
from .latent import latent
from .rope import rope


def padded(vocabulary: int, multiple: int) -> int:
    """Return the vocabulary up to a whole multiple: the converter pads those of Mamba models."""
    return -(-vocabulary // multiple) * multiple


def qwen3_next(c: Config, k: Keys) -> None:
    """Qwen 3 Next, 3.5 and 3.6: three of four layers are delta nets. Published files leave out the prediction block."""
    moe = c.count("num_experts", default=0) > 0
    common(c, k, inner=not moe or c.has("intermediate_size"))
    heads(c, k)
    rotated(c, k, factor=0.25)
    rope(c, k)
    values = c.count("linear_num_value_heads", low=1)
    k.put(
        ssm__conv_kernel=c.count("linear_conv_kernel_dim", low=1),
        ssm__state_size=c.count("linear_key_head_dim", low=1),
        ssm__group_count=c.count("linear_num_key_heads", low=1),
        ssm__time_step_rank=values,
        ssm__inner_size=values * c.count("linear_value_head_dim", low=1),
        full_attention_interval=c.count("full_attention_interval", default=4, low=1),
    )
    if moe:
        experts(c, k)
        k.put(
            expert_shared_feed_forward_length=c.count("shared_expert_intermediate_size", default=0) or None,
            expert_gating_func=None,
        )


def qwen35(c: Config, k: Keys) -> None:
    """Qwen 3.5 and 3.6: the loader needs the sections of rotary dimensions."""
    qwen3_next(c, k)
    if k.get("rope.dimension_sections") is None:
        k.put(rope__dimension_sections=[11, 11, 10, 0])
    mtp_blocks(c, k, c.count("mtp_num_hidden_layers", default=0, high=16), usual=False)


def granite_hybrid(c: Config, k: Keys) -> None:
    """Granite 4: Mamba-2 with some attention, dense or with experts. Its GGUF names a context of 1,048,576 tokens."""
    layers = c.layers
    attention = [kind == "attention" for kind in c.texts("layer_types", layers)[:layers]]
    common(c, k, inner=c.has("intermediate_size"))
    heads(c, k)
    kv = c.count("num_key_value_heads", low=1)
    heads_of_mamba = c.count("mamba_n_heads", low=1)
    k.put(
        context_length=2**20,
        vocab_size=padded(c.count("vocab_size", low=1), 8),
        attention__head_count_kv=[kv if full else 0 for full in attention],
        rope__dimension_count=c.head_width,
        rope__scaling__finetuned=False,
        ssm__conv_kernel=c.count("mamba_d_conv", low=1),
        ssm__state_size=c.count("mamba_d_state", low=1),
        ssm__group_count=c.count("mamba_n_groups", low=1),
        ssm__inner_size=c.count("mamba_expand", low=1) * c.count("hidden_size"),
        ssm__time_step_rank=heads_of_mamba,
    )
    granite_scales(c, k)
    biases(c, k)
    rope(c, k)
    if c.count("num_local_experts", default=0):
        k.put(
            expert_count=c.count("num_local_experts"),
            expert_used_count=c.count("num_experts_per_tok"),
            expert_feed_forward_length=c.count("intermediate_size", low=1),
            expert_shared_feed_forward_length=c.count("shared_intermediate_size", default=0) or None,
        )
    else:
        k.put(feed_forward_length=c.count("shared_intermediate_size", "intermediate_size", low=1))


def granite4(c: Config, k: Keys) -> None:
    """Granite 4 whose layers are all attention is written as Granite 3."""
    granite(c, k)
    if not c.count("num_local_experts", default=0):
        k.put(feed_forward_length=c.count("shared_intermediate_size", "intermediate_size", low=1))


def falcon_h1(c: Config, k: Keys) -> None:
    """Falcon-H1: attention and Mamba-2 in every layer."""
    common(c, k)
    heads(c, k)
    rope(c, k)
    k.put(
        ssm__conv_kernel=c.count("mamba_d_conv", low=1),
        ssm__state_size=c.count("mamba_d_state", low=1),
        ssm__group_count=c.count("mamba_n_groups", low=1),
        ssm__inner_size=c.count(
            "mamba_d_ssm", default=c.count("mamba_expand", default=2) * c.count("hidden_size"), low=1
        ),
        ssm__time_step_rank=c.count("mamba_n_heads", low=1),
    )
    k.checkpoint(ssm_norm=c.flag("mamba_rms_norm"))


def jamba(c: Config, k: Keys) -> None:
    """Jamba."""
    common(c, k)
    heads(c, k)
    period, offset = c.count("attn_layer_period", low=1), c.count("attn_layer_offset")
    kv = c.count("num_key_value_heads", low=1)
    k.put(
        attention__head_count_kv=[kv if layer % period == offset else 0 for layer in range(c.layers)],
        ssm__conv_kernel=c.count("mamba_d_conv", low=1),
        ssm__state_size=c.count("mamba_d_state", low=1),
        ssm__inner_size=c.count("mamba_expand", low=1) * c.count("hidden_size"),
        ssm__time_step_rank=c.count("mamba_dt_rank", low=1),
        expert_count=c.count("num_experts", default=0) or None,
        expert_used_count=c.count("num_experts_per_tok", default=0) or None,
    )
    k.checkpoint(
        expert_layer_period=c.count("expert_layer_period", default=2, low=1),
        expert_layer_offset=c.count("expert_layer_offset", default=1),
    )


def mamba2(c: Config, k: Keys) -> None:
    """Mamba 2: no attention; inner width and heads follow from `expand` and `head_dim` where they are not given."""
    width = c.count("hidden_size", "d_model", low=1)
    inner = c.count("intermediate_size", "d_inner", default=c.count("expand", default=2) * width)
    k.put(
        block_count=c.layers,
        context_length=2**20,
        embedding_length=width,
        feed_forward_length=0,
        attention__head_count=0,
        vocab_size=padded(c.count("vocab_size", low=1), c.count("pad_vocab_size_multiple", default=16, low=1)),
        attention__layer_norm_rms_epsilon=c.number("layer_norm_epsilon", "rms_norm_eps", default=1e-5),
        ssm__conv_kernel=c.count("conv_kernel", "d_conv", default=4),
        ssm__state_size=c.count("state_size", "d_state", default=128),
        ssm__group_count=c.count("n_groups", default=1, low=1),
        ssm__inner_size=inner,
        ssm__time_step_rank=c.count("num_heads", default=inner // c.count("head_dim", default=64, low=1)),
    )
    k.checkpoint(tied_embeddings=c.flag("tie_word_embeddings"))


def nemotron_h(c: Config, k: Keys) -> None:
    """Nemotron H: `hybrid_override_pattern` has a letter per layer, M Mamba-2, * attention, - dense, E experts."""
    common(c, k, inner=False)
    pattern = c.text("hybrid_override_pattern")
    if not pattern:
        raise c.missing("hybrid_override_pattern")
    if len(pattern) != c.layers:
        raise c.missing(f"hybrid_override_pattern with a letter for each of {c.layers} layers")
    width = c.count("head_dim", "attention_head_dim", low=1)
    kv = c.count("num_key_value_heads", low=1)
    moe = c.count("n_routed_experts", default=0)
    inner = c.count("moe_intermediate_size", low=1) if moe else c.count("intermediate_size", low=1)
    mamba_heads = c.count("mamba_num_heads", low=1)
    k.put(
        vocab_size=padded(c.count("vocab_size", low=1), 8),
        attention__head_count=c.count("num_attention_heads", low=1),
        attention__head_count_kv=[kv if letter == "*" else 0 for letter in pattern],
        feed_forward_length=[inner if letter in "-E" else 0 for letter in pattern],
        attention__key_length=width,
        attention__value_length=width,
        rope__scaling__finetuned=False,
        ssm__conv_kernel=c.count("conv_kernel", low=1),
        ssm__state_size=c.count("ssm_state_size", low=1),
        ssm__group_count=c.count("n_groups", low=1),
        ssm__time_step_rank=mamba_heads,
        ssm__inner_size=mamba_heads * c.count("mamba_head_dim", low=1),
    )
    rope(c, k)
    if moe:
        experts(c, k)
        k.put(
            expert_shared_feed_forward_length=c.count("moe_shared_expert_intermediate_size", default=0) or None,
            moe_latent_size=c.count("moe_latent_size", default=0) or None,
            expert_gating_func=None,
        )


def lfm2(c: Config, k: Keys) -> None:
    """LFM2: short convolutions with some attention; the dense width may be adjusted as in the first Llama."""
    moe = c.count("num_experts", default=0) > 0
    common(c, k, tied=c.flag("tie_embedding", True), inner=moe)
    heads(c, k)
    rope(c, k, base=1000000.0)
    layers = c.layers
    if c.has("layer_types"):
        attention = [kind == "full_attention" for kind in c.texts("layer_types", layers)[:layers]]
    else:
        own = set(c.counts("full_attn_idxs", 1))
        attention = [layer in own for layer in range(layers)]
    kv = c.count("num_key_value_heads", low=1)
    k.put(
        attention__head_count_kv=[kv if full else 0 for full in attention],
        shortconv__l_cache=c.count("conv_L_cache", low=1),
    )
    if moe:
        experts(c, k, scoring="sigmoid")
        return
    inner = c.count("block_ff_dim", "intermediate_size", low=1)
    if c.flag("block_auto_adjust_ff_dim"):
        factor, multiple = (
            c.number("block_ffn_dim_multiplier", default=1.0),
            c.count("block_multiple_of", default=256, low=1),
        )
        inner = int((factor or 1.0) * int(2 * inner / 3))
        inner = -(-inner // multiple) * multiple
    k.put(feed_forward_length=inner)


def kimi_linear(c: Config, k: Keys) -> None:
    """Kimi Linear: delta attention, and latent attention in the layers that `linear_attn_config` lists from 1."""
    common(c, k)
    latent(c, k)
    linear = c.section("linear_attn_config")
    full = set(linear.counts("full_attn_layers", 0))
    k.put(
        attention__head_count_kv=[1 if layer + 1 in full else 0 for layer in range(c.layers)],
        ssm__conv_kernel=linear.count("short_conv_kernel_size", low=1),
        kda__head_dim=linear.count("head_dim", low=1),
    )
    experts(c, k, scoring="sigmoid")
    rope(c, k)
