# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A config.json becomes a model; what is wrong in it is named in one sentence, whatever it is."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_hf_config
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.hf import READERS
from hypothesis import given, settings
from hypothesis import strategies as st

QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "head_dim": 128,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "max_position_embeddings": 40960,
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000,
    "tie_word_embeddings": True,
    "vocab_size": 151936,
}


def refusal(config):
    with pytest.raises(ContractError) as caught:
        from_hf_config.model(config, "Q4_K_M")
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


def test_a_config_and_a_quant_make_a_model():
    model = from_hf_config.model(QWEN3 | {"_name_or_path": "Qwen/Qwen3-0.6B"}, "Q8_0")
    assert (model.id, model.architecture, model.quant, model.basis) == ("Qwen3-0.6B", "qwen3", "Q8_0", "recipe")
    assert model.metadata["qwen3.context_length"] == 40960
    assert len(model.tensors) == 2 + 28 * 11
    assert {t.type for t in model.tensors} == {"F32", "Q8_0"}


def test_the_language_model_of_a_multimodal_config():
    inner = {key: value for key, value in QWEN3.items() if key != "architectures"}
    config = {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "text_config": inner,
        "vision_config": {"depth": 27},
    }
    assert from_hf_config.metadata(config)["qwen3vl.block_count"] == 28
    assert any("--mmproj" in text for text in from_hf_config.warnings(config))


def test_keys_left_out_have_the_defaults_of_transformers():
    # google/gemma-3-4b-it names no more than this of its language model
    config = {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "text_config": {
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 34,
            "sliding_window": 1024,
        },
    }
    keys = from_hf_config.metadata(config)
    assert keys["gemma3.attention.head_count"] == 8
    assert keys["gemma3.attention.head_count_kv"] == 4
    assert keys["gemma3.attention.key_length"] == 256
    assert keys["gemma3.vocab_size"] == 262208
    assert keys["checkpoint.tied_embeddings"] is True


def test_null_is_the_same_as_left_out():
    assert (
        from_hf_config.metadata(QWEN3 | {"head_dim": None, "rope_scaling": None})["qwen3.attention.key_length"] == 128
    )


def test_yarn_beyond_the_trained_context():
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    keys = from_hf_config.metadata(QWEN3 | {"rope_scaling": yarn})
    assert keys["qwen3.rope.scaling.type"] == "yarn"
    assert keys["qwen3.rope.scaling.factor"] == 4.0
    assert keys["qwen3.rope.scaling.original_context_length"] == 32768
    assert keys["qwen3.context_length"] == 40960
    (warning,) = from_hf_config.warnings(QWEN3 | {"rope_scaling": yarn})
    assert "yarn, factor 4, over 32768 tokens" in warning
    assert "ask for up to 131072" in warning
    # transformers 5 keeps the same values under another name
    assert from_hf_config.metadata(QWEN3 | {"rope_parameters": yarn | {"rope_theta": 1000000}}) == keys


def test_a_context_that_the_scaling_reaches_needs_no_advice():
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    (warning,) = from_hf_config.warnings(QWEN3 | {"rope_scaling": yarn, "max_position_embeddings": 131072})
    assert "ask for" not in warning


def test_weights_stored_quantised_are_told():
    config = QWEN3 | {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}
    assert from_hf_config.metadata(config) == from_hf_config.metadata(QWEN3)
    assert any("fp8" in text for text in from_hf_config.warnings(config))


def test_prediction_blocks_can_be_kept_or_left_out():
    glm = {
        "architectures": ["Glm4MoeForCausalLM"], "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 4096,
        "vocab_size": 1000, "n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1,
        "moe_intermediate_size": 128, "first_k_dense_replace": 1, "num_nextn_predict_layers": 1,
    }  # fmt: skip
    assert from_hf_config.metadata(glm)["glm4moe.block_count"] == 4
    assert from_hf_config.metadata(glm, mtp=False)["glm4moe.block_count"] == 3
    assert any("left out" in text for text in from_hf_config.warnings(glm, mtp=False))


def test_a_wrapper_that_names_the_class_of_its_language_model():
    # as InternVL's config does
    config = {"architectures": ["InternVLChatModel"], "llm_config": QWEN3, "vision_config": {"hidden_size": 1024}}
    assert from_hf_config.metadata(config)["general.architecture"] == "qwen3"


# Parameters of public checkpoints that no model was measured of, as their model pages tell them.
TOTALS = [
    (
        2506172416,
        "GemmaForCausalLM",
        {
            "hidden_size": 2048,
            "intermediate_size": 16384,
            "num_attention_heads": 8,
            "num_hidden_layers": 18,
            "num_key_value_heads": 1,
        },
    ),
    (
        8537680896,
        "GemmaForCausalLM",
        {
            "hidden_size": 3072,
            "intermediate_size": 24576,
            "num_attention_heads": 16,
            "num_hidden_layers": 28,
            "num_key_value_heads": 16,
        },
    ),
    (
        6919161856,
        "OlmoeForCausalLM",
        {
            "hidden_size": 2048,
            "intermediate_size": 1024,
            "max_position_embeddings": 4096,
            "num_attention_heads": 16,
            "num_experts": 64,
            "num_experts_per_tok": 8,
            "num_hidden_layers": 16,
            "num_key_value_heads": 16,
            "vocab_size": 50304,
        },
    ),
    (
        7818448896,
        "ExaoneForCausalLM",
        {
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "max_position_embeddings": 32768,
            "num_attention_heads": 32,
            "num_layers": 32,
            "num_key_value_heads": 8,
            "vocab_size": 102400,
        },
    ),
    (
        72706203648,
        "Qwen2ForCausalLM",
        {
            "hidden_size": 8192,
            "intermediate_size": 29568,
            "num_attention_heads": 64,
            "num_hidden_layers": 80,
            "num_key_value_heads": 8,
            "vocab_size": 152064,
        },
    ),
]


@pytest.mark.parametrize(("total", "name", "config"), TOTALS)
def test_parameters_of_public_checkpoints(total, name, config):
    model = from_hf_config.model({"architectures": [name], **config}, "BF16")
    assert sum(math.prod(tensor.shape) for tensor in model.tensors) == total


def test_what_is_no_config_is_refused():
    for config in (None, [], "config.json", 7, {}, {"architectures": []}, {"architectures": "LlamaForCausalLM"}):
        assert refusal(config).startswith("config.json: ")


def test_an_unknown_architecture_is_refused_by_name():
    assert "RwkvForCausalLM is not known" in refusal(QWEN3 | {"architectures": ["RwkvForCausalLM"]})
    assert "did you mean Qwen3ForCausalLM" in refusal(QWEN3 | {"architectures": ["Qwen3ForCausualLM"]})


def test_text_that_is_no_class_is_not_repeated():
    assert "secret" not in refusal({"architectures": ["secret token\n"]})
    assert "secret" not in refusal(QWEN3 | {"hidden_size": "secret"})


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"])
def test_a_missing_key_is_named(key):
    assert f"'{key}' is missing" in refusal({name: value for name, value in QWEN3.items() if name != key})


@pytest.mark.parametrize("value", [-1, 0, 10**9, 10**30, "28", 1.5, True, [], {}, [1] * 2000])
def test_a_number_of_layers_that_cannot_be_is_refused(value):
    assert "'num_hidden_layers'" in refusal(QWEN3 | {"num_hidden_layers": value})


def test_a_quant_that_is_no_recipe_is_refused():
    with pytest.raises(ContractError, match="publisher's own mix"):
        from_hf_config.model(QWEN3, "UD-Q4_K_XL")


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(min_value=-2, max_value=5), max_size=6),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=3),
)
KEYS = (
    *QWEN3, "rope_scaling", "rope_parameters", "layer_types", "text_config", "quantization_config", "vision_config",
    "num_experts", "num_experts_per_tok", "moe_intermediate_size", "kv_lora_rank", "qk_rope_head_dim", "sliding_window",
    "block_configs", "hybrid_override_pattern", "linear_attn_config", "partial_rotary_factor", "num_nextn_predict_layers",
)  # fmt: skip


CONFIGS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[4] / "conformance" / "data" / "configs").glob("*.json"))
}


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(CONFIGS)), st.data())
def test_a_public_config_with_one_key_turned_to_junk(name, data):
    config = CONFIGS[name]
    section = data.draw(
        st.sampled_from([key for key in ("text_config", "rope_scaling", None) if not key or config.get(key)])
    )
    part = config[section] if section else config
    junk = part | {data.draw(st.sampled_from(sorted(part))): data.draw(JUNK)}
    try:
        model = from_hf_config.model({**config, section: junk} if section else junk, "Q4_K_M")
    except ContractError as refused:
        assert "\n" not in str(refused)
    else:
        assert model.tensors


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(READERS)), st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=4))
def test_junk_gives_a_model_or_one_sentence(name, junk):
    config = QWEN3 | junk | {"architectures": [name]}
    try:
        model = from_hf_config.model(config, "Q4_K_M")
        from_hf_config.warnings(config)
    except ContractError as refused:
        assert "\n" not in str(refused)
    else:
        assert model.tensors


@pytest.mark.parametrize("value", [-0.5, 2, "half", float("nan"), float("inf"), True])
def test_a_fraction_that_cannot_be_is_refused(value):
    assert "'partial_rotary_factor' must be a number from 0 to 1" in refusal(QWEN3 | {"partial_rotary_factor": value})
