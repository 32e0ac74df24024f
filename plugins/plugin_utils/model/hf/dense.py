# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config.json of models with attention and dense networks, and the plainer mixtures of experts among their kin."""

from __future__ import annotations

from .config import Config
from .keys import Keys, biases, common, heads, rotated, window
from .rope import rope


def llama(c: Config, k: Keys) -> None:
    """Llama, Mistral, Mixtral, Ministral, InternLM 2."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    biases(c, k)
    k.checkpoint(feed_forward_bias=c.flag("mlp_bias"))
    if c.count("num_local_experts", default=0) > 1:
        k.put(expert_count=c.count("num_local_experts"), expert_used_count=c.count("num_experts_per_tok"))


def smollm3(c: Config, k: Keys) -> None:
    """SmolLM 3."""
    common(c, k, tied=True)
    heads(c, k)
    rotated(c, k)
    rope(c, k, base=2000000.0)
    biases(c, k)


def internlm2(c: Config, k: Keys) -> None:
    """InternLM 2: `bias` is its name for biases of attention."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    k.checkpoint(attention_bias="qkvo" if c.flag("bias") else "")


def seed_oss(c: Config, k: Keys) -> None:
    """Seed-OSS: biases of q, k, v and of the output are told apart."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    k.checkpoint(
        attention_bias=("qkv" if c.flag("attention_bias", True) else "") + ("o" if c.flag("attention_out_bias") else "")
    )


def qwen2(c: Config, k: Keys) -> None:
    """Qwen 2 and 2.5: biases always."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)


def qwen3(c: Config, k: Keys) -> None:
    """Qwen 3 and the language part of Qwen 3 VL."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    biases(c, k)
    vision = c.section("vision_config")
    if vision.has("deepstack_visual_indexes"):
        k.put(n_deepstack_layers=len(vision.counts("deepstack_visual_indexes", 0)))


def command_r(c: Config, k: Keys) -> None:
    """Command R: the context is `model_max_length` where it is given."""
    common(c, k, tied=True)
    heads(c, k)
    rope(c, k)
    biases(c, k)
    k.put(
        context_length=c.count("model_max_length", "max_position_embeddings", low=1),
        logit_scale=c.number("logit_scale"),
        attention__layer_norm_rms_epsilon=c.number("layer_norm_eps"),
    )
    k.checkpoint(qk_norm=c.flag("use_qk_norm"))


def cohere2(c: Config, k: Keys) -> None:
    """Command R7B and Command A: sliding windows in three of four layers."""
    common(c, k, tied=True)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    biases(c, k)
    k.put(attention__sliding_window=c.count("sliding_window", default=0), logit_scale=c.number("logit_scale"))


def phi3(c: Config, k: Keys) -> None:
    """Phi 3 and 4: positions scaled by factors that are tensors where `rope_scaling` is given."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    k.put(
        rope__scaling__original_context_length=c.count(
            "original_max_position_embeddings", default=k.get("context_length")
        ),
        attention__sliding_window=c.count("sliding_window", default=0),
    )


def phimoe(c: Config, k: Keys) -> None:
    """Phi 3.5 MoE."""
    phi3(c, k)
    k.put(expert_count=c.count("num_local_experts"), expert_used_count=c.count("num_experts_per_tok"))


def olmo2(c: Config, k: Keys) -> None:
    """OLMo 2, and OLMo 3 with sliding windows."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    biases(c, k)
    if c.count("sliding_window", default=0):
        window(c, k)


def exaone(c: Config, k: Keys) -> None:
    """EXAONE 3, whose config has names of its own for layers and activation."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)


def exaone4(c: Config, k: Keys) -> None:
    """EXAONE 4: `sliding_window_pattern` is text such as LLLG, or a period."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    if not c.count("sliding_window", default=0):
        return
    pattern = c.values.get("sliding_window_pattern")
    if c.has("layer_types"):
        window(c, k)
    elif isinstance(pattern, str) and pattern:
        local = [pattern[layer % len(pattern)] == "L" for layer in range(c.layers)]
        k.put(attention__sliding_window=c.count("sliding_window"), attention__sliding_window_pattern=local)
    elif pattern is not None:
        period = c.count("sliding_window_pattern", low=1)
        local = [(layer + 1) % period != 0 for layer in range(c.layers)]
        k.put(attention__sliding_window=c.count("sliding_window"), attention__sliding_window_pattern=local)


def glm4(c: Config, k: Keys) -> None:
    """GLM 4: half of a head is rotated."""
    common(c, k)
    heads(c, k)
    rotated(c, k, factor=0.5)
    rope(c, k)
    biases(c, k, letters="qkv")


def granite(c: Config, k: Keys) -> None:
    """Granite 3, dense or with experts."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    biases(c, k)
    granite_scales(c, k)
    if c.count("num_local_experts", default=0):
        k.put(
            expert_count=c.count("num_local_experts"),
            expert_used_count=c.count("num_experts_per_tok"),
            expert_shared_feed_forward_length=c.count("shared_intermediate_size", default=0) or None,
        )


def granite_scales(c: Config, k: Keys) -> None:
    """Put Granite's multipliers."""
    k.put(
        attention__scale=c.number("attention_multiplier"),
        embedding_scale=c.number("embedding_multiplier"),
        residual_scale=c.number("residual_multiplier"),
        logit_scale=c.number("logits_scaling"),
    )


def starcoder2(c: Config, k: Keys) -> None:
    """StarCoder 2: layer norms and biases throughout."""
    common(c, k, tied=True)
    heads(c, k)
    rotated(c, k)
    rope(c, k)
    if not c.flag("use_bias", True):
        k.checkpoint(attention_bias="")


def apertus(c: Config, k: Keys) -> None:
    """Apertus."""
    common(c, k)
    heads(c, k)
    rotated(c, k)
    rope(c, k, base=12000000.0)
    biases(c, k)


def deci(c: Config, k: Keys) -> None:
    """Nemotron found by search: every block has its own heads and width, or none (`block_configs`).

    Widths as the modelling code computes them: two thirds of the multiplied embedding, up to a multiple of 256.
    """
    common(c, k, inner=False)
    width, count = c.head_width, c.count("num_attention_heads", low=1)
    heads_of, kv_of, feed_forward = [], [], []
    for block in c.sections("block_configs", c.layers):
        attention, network = block.section("attention"), block.section("ffn")
        without = attention.flag("no_op")
        linear = attention.flag("replace_with_linear")
        heads_of.append(0 if without else count)
        kv_of.append(0 if without or linear else count // attention.count("n_heads_in_group", low=1))
        multiple = None if network.flag("no_op") else network.number("ffn_mult")
        inner = int(2 * multiple * k.get("embedding_length") / 3) if multiple and 0 < multiple < 1000 else 0
        feed_forward.append(-(-inner // 256) * 256)
    k.put(
        attention__head_count=heads_of,
        attention__head_count_kv=kv_of,
        feed_forward_length=feed_forward,
        attention__key_length=width,
        attention__value_length=width,
    )
    rotated(c, k)
    rope(c, k)
