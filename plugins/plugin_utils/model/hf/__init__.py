# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Hugging Face architectures are read, as which of llama.cpp's, and with which of transformers' defaults."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from . import dense, experts, gemma, hybrid, latent
from .config import Config
from .keys import Keys


class Reader(t.NamedTuple):
    """How the config.json of a Hugging Face architecture becomes GGUF metadata.

    `architecture` is llama.cpp's, or tells it from the config; `defaults` are transformers' for keys left out.
    """

    architecture: str | Callable[[Config], str]
    read: Callable[[Config, Keys], None]
    defaults: Mapping[str, t.Any] = {}


_LLAMA = {"max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "vocab_size": 32000}
_MISTRAL = {"num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "vocab_size": 32000}
_QWEN = {"rms_norm_eps": 1e-6, "max_position_embeddings": 32768, "vocab_size": 151936}
_GEMMA3 = {
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262208,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-6,
    "sliding_window": 4096,
}
_GEMMA = {"head_dim": 256, "rms_norm_eps": 1e-6, "vocab_size": 256000, "max_position_embeddings": 8192}
_GEMMA2 = {**_GEMMA3, "vocab_size": 256000, "max_position_embeddings": 8192}
_GEMMA3N = {
    **_GEMMA3,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 35,
    "num_key_value_heads": 2,
    "vocab_size": 262400,
    "max_position_embeddings": 32768,
    "sliding_window": 512,
    "hidden_size_per_layer_input": 256,
    "num_kv_shared_layers": 15,
}
_GEMMA4 = {
    "rms_norm_eps": 1e-6,
    "vocab_size": 262144,
    "max_position_embeddings": 131072,
    "head_dim": 256,
    "global_head_dim": 512,
}
_DEEPSEEK = {"rms_norm_eps": 1e-6, "kv_lora_rank": 512}
_EPSILON = {"rms_norm_eps": 1e-5}


def _nemotron_h(c: Config) -> str:
    return "nemotron_h_moe" if c.has("n_routed_experts") else "nemotron_h"


def _granite4(c: Config) -> str:
    if any(kind != "attention" for kind in c.texts("layer_types", c.layers)[: c.layers]):
        return "granitehybrid"
    return "granitemoe" if c.count("num_local_experts", default=0) else "granite"


def _read_granite4(c: Config, k: Keys) -> None:
    (hybrid.granite_hybrid if k.architecture == "granitehybrid" else hybrid.granite4)(c, k)


READERS: dict[str, Reader] = {
    "LlamaForCausalLM": Reader("llama", dense.llama, _LLAMA),
    "MistralForCausalLM": Reader("llama", dense.llama, _MISTRAL),
    "MixtralForCausalLM": Reader("llama", dense.llama, {**_MISTRAL, "num_local_experts": 8, "num_experts_per_tok": 2}),
    "Ministral3ForCausalLM": Reader("mistral3", dense.llama, _MISTRAL),
    "Mistral3ForConditionalGeneration": Reader("mistral3", dense.llama, _MISTRAL),
    "Llama4ForCausalLM": Reader("llama4", experts.llama4, _EPSILON),
    "Llama4ForConditionalGeneration": Reader("llama4", experts.llama4, _EPSILON),
    "SmolLM3ForCausalLM": Reader("smollm3", dense.smollm3, {"rms_norm_eps": 1e-6, "max_position_embeddings": 32768}),
    "InternLM2ForCausalLM": Reader("internlm2", dense.internlm2, _EPSILON),
    "SeedOssForCausalLM": Reader("seed_oss", dense.seed_oss, {"rms_norm_eps": 1e-6, "head_dim": 128}),
    "Qwen2ForCausalLM": Reader("qwen2", dense.qwen2, _QWEN),
    "Qwen2VLForConditionalGeneration": Reader("qwen2vl", dense.qwen2, _QWEN),
    "Qwen2_5_VLForConditionalGeneration": Reader("qwen2vl", dense.qwen2, _QWEN),
    "Qwen2MoeForCausalLM": Reader("qwen2moe", experts.qwen_moe, _QWEN),
    "Qwen3ForCausalLM": Reader("qwen3", dense.qwen3, {**_QWEN, "head_dim": 128}),
    "Qwen3VLForConditionalGeneration": Reader("qwen3vl", dense.qwen3, {**_QWEN, "head_dim": 128}),
    "Qwen3MoeForCausalLM": Reader("qwen3moe", experts.qwen_moe, _QWEN),
    "Qwen3VLMoeForConditionalGeneration": Reader("qwen3vlmoe", experts.qwen_moe, _QWEN),
    "Qwen3NextForCausalLM": Reader("qwen3next", hybrid.qwen3_next, {**_QWEN, "head_dim": 256}),
    "Qwen3_5ForCausalLM": Reader("qwen35", hybrid.qwen35, {"rms_norm_eps": 1e-6, "head_dim": 256}),
    "Qwen3_5ForConditionalGeneration": Reader("qwen35", hybrid.qwen35, {"rms_norm_eps": 1e-6, "head_dim": 256}),
    "Qwen3_5MoeForCausalLM": Reader("qwen35moe", hybrid.qwen35, {"rms_norm_eps": 1e-6, "head_dim": 256}),
    "Qwen3_5MoeForConditionalGeneration": Reader("qwen35moe", hybrid.qwen35, {"rms_norm_eps": 1e-6, "head_dim": 256}),
    "GemmaForCausalLM": Reader("gemma", gemma.gemma, _GEMMA),
    "Gemma2ForCausalLM": Reader("gemma2", gemma.gemma2, _GEMMA2),
    "Gemma3ForCausalLM": Reader("gemma3", gemma.gemma3, _GEMMA3),
    "Gemma3ForConditionalGeneration": Reader("gemma3", gemma.gemma3, _GEMMA3),
    "Gemma3nForCausalLM": Reader("gemma3n", gemma.gemma3n, _GEMMA3N),
    "Gemma3nForConditionalGeneration": Reader("gemma3n", gemma.gemma3n, _GEMMA3N),
    "Gemma4ForCausalLM": Reader("gemma4", gemma.gemma4, _GEMMA4),
    "Gemma4ForConditionalGeneration": Reader("gemma4", gemma.gemma4, _GEMMA4),
    "DeepseekV2ForCausalLM": Reader("deepseek2", latent.deepseek2, _DEEPSEEK),
    "DeepseekV3ForCausalLM": Reader("deepseek2", latent.deepseek3, _DEEPSEEK),
    "KimiK25ForConditionalGeneration": Reader("deepseek2", latent.deepseek3, _DEEPSEEK),
    "KimiVLForConditionalGeneration": Reader("deepseek2", latent.deepseek3, _DEEPSEEK),
    "Glm4MoeLiteForCausalLM": Reader("deepseek2", latent.deepseek3, {**_DEEPSEEK, "rms_norm_eps": 1e-5}),
    "DeepseekV32ForCausalLM": Reader("deepseek32", latent.sparse, _DEEPSEEK),
    "DeepseekV4ForCausalLM": Reader("deepseek4", latent.deepseek4, {"rms_norm_eps": 1e-6}),
    "GlmMoeDsaForCausalLM": Reader("glm-dsa", latent.sparse, {**_DEEPSEEK, "rms_norm_eps": 1e-5}),
    "Glm4ForCausalLM": Reader("glm4", dense.glm4, {"rms_norm_eps": 1e-5, "head_dim": 128}),
    "Glm4vForConditionalGeneration": Reader("glm4", dense.glm4, {"rms_norm_eps": 1e-5}),
    "Glm4MoeForCausalLM": Reader("glm4moe", experts.glm4_moe, _EPSILON),
    "Glm4vMoeForConditionalGeneration": Reader("glm4moe", experts.glm4v_moe, _EPSILON),
    "GptOssForCausalLM": Reader(
        "gpt-oss", experts.gpt_oss, {"rms_norm_eps": 1e-5, "head_dim": 64, "sliding_window": 128}
    ),
    "CohereForCausalLM": Reader("command-r", dense.command_r, {"layer_norm_eps": 1e-5, "vocab_size": 256000}),
    "Cohere2VisionForConditionalGeneration": Reader(
        "cohere2", dense.cohere2, {"layer_norm_eps": 1e-5, "vocab_size": 256000}
    ),
    "Cohere2ForCausalLM": Reader("cohere2", dense.cohere2, {"layer_norm_eps": 1e-5, "vocab_size": 256000}),
    "Phi3ForCausalLM": Reader("phi3", dense.phi3, {"rms_norm_eps": 1e-5, "vocab_size": 32064}),
    "PhiMoEForCausalLM": Reader(
        "phimoe", dense.phimoe, {"rms_norm_eps": 1e-5, "num_local_experts": 16, "num_experts_per_tok": 2}
    ),
    "PhimoeForCausalLM": Reader(
        "phimoe", dense.phimoe, {"rms_norm_eps": 1e-5, "num_local_experts": 16, "num_experts_per_tok": 2}
    ),
    "Olmo2ForCausalLM": Reader("olmo2", dense.olmo2, _EPSILON),
    "Olmo3ForCausalLM": Reader("olmo2", dense.olmo2, _EPSILON),
    "ExaoneForCausalLM": Reader("exaone", dense.exaone, _EPSILON),
    "OlmoeForCausalLM": Reader("olmoe", experts.olmoe, _EPSILON),
    "Exaone4ForCausalLM": Reader("exaone4", dense.exaone4, _EPSILON),
    "GraniteForCausalLM": Reader("granite", dense.granite, {"rms_norm_eps": 1e-6}),
    "GraniteMoeForCausalLM": Reader("granitemoe", dense.granite, {"rms_norm_eps": 1e-6}),
    "GraniteMoeSharedForCausalLM": Reader("granitemoe", dense.granite, {"rms_norm_eps": 1e-6}),
    "GraniteMoeHybridForCausalLM": Reader(_granite4, _read_granite4, {"rms_norm_eps": 1e-6}),
    "Starcoder2ForCausalLM": Reader("starcoder2", dense.starcoder2, {"norm_epsilon": 1e-5, "vocab_size": 49152}),
    "ApertusForCausalLM": Reader("apertus", dense.apertus, _EPSILON),
    "DeciLMForCausalLM": Reader("deci", dense.deci, _LLAMA),
    "NemotronHForCausalLM": Reader(_nemotron_h, hybrid.nemotron_h, _EPSILON),
    "FalconH1ForCausalLM": Reader("falcon-h1", hybrid.falcon_h1, _EPSILON),
    "JambaForCausalLM": Reader("jamba", hybrid.jamba, {"rms_norm_eps": 1e-6, "max_position_embeddings": 262144}),
    "Mamba2ForCausalLM": Reader("mamba2", hybrid.mamba2, {}),
    "Lfm2ForCausalLM": Reader("lfm2", hybrid.lfm2, {"norm_eps": 1e-5, "conv_L_cache": 3}),
    "Lfm2VlForConditionalGeneration": Reader("lfm2", hybrid.lfm2, {"norm_eps": 1e-5, "conv_L_cache": 3}),
    "Lfm2MoeForCausalLM": Reader("lfm2moe", hybrid.lfm2, {"norm_eps": 1e-5, "conv_L_cache": 3}),
    "KimiLinearForCausalLM": Reader("kimi-linear", hybrid.kimi_linear, _EPSILON),
    "MiniMaxM2ForCausalLM": Reader("minimax-m2", experts.minimax_m2, {"rms_norm_eps": 1e-6}),
    "MiniMaxM3SparseForCausalLM": Reader("minimax-m3", experts.minimax_m3, {"rms_norm_eps": 1e-6}),
    "MiniMaxM3SparseForConditionalGeneration": Reader("minimax-m3", experts.minimax_m3, {"rms_norm_eps": 1e-6}),
    "Ernie4_5ForCausalLM": Reader("ernie4_5", experts.ernie, _EPSILON),
    "Ernie4_5_MoeForCausalLM": Reader("ernie4_5-moe", experts.ernie, _EPSILON),
    "Dots1ForCausalLM": Reader("dots1", experts.dots1, _EPSILON),
    "HunYuanDenseV1ForCausalLM": Reader("hunyuan-dense", experts.hunyuan_dense, _EPSILON),
    "HunYuanMoEV1ForCausalLM": Reader("hunyuan-moe", experts.hunyuan_moe, _EPSILON),
    "BailingMoeV2ForCausalLM": Reader("bailingmoe2", experts.bailing_moe2, {"rms_norm_eps": 1e-6}),
    "AfmoeForCausalLM": Reader("afmoe", experts.afmoe, _EPSILON),
    "Step3p5ForCausalLM": Reader("step35", experts.step35, _EPSILON),
    "MiMoV2FlashForCausalLM": Reader("mimo2", experts.mimo2, _EPSILON),
}
