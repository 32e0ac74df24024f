# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an estimate says, and what it refuses."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import UnknownEngine, estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.refusals import LaunchRefused, UnknownModel
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_catalog, from_hf_config

GIB = 1 << 30
DENSE = from_catalog.model("llama-3.1-8b-instruct", "Q4_K_M")
EXPERTS = from_catalog.model("qwen3-30b-a3b", "Q4_K_M")
LATENT = from_catalog.model("deepseek-v3.1", "Q4_K_M")


def gpus(count=1):
    return [Gpu(index=index, memory_free_bytes=80 * GIB) for index in range(count)]


def test_the_lines_add_up_to_the_totals():
    answer = estimate(EXPERTS, Launch(ctx_size=8192, n_cpu_moe=10), gpus(2))
    for device in answer.devices:
        own = [line.bytes for line in answer.lines if line.where == device.name and not line.later]
        assert sum(own) == device.total_bytes
        assert (
            device.weights_bytes + device.kv_bytes + device.compute_bytes + device.overhead_bytes == device.total_bytes
        )
        later = [line.bytes for line in answer.lines if line.where == device.name and line.later]
        assert sum(later) == device.growth_bytes
    on_host = [line for line in answer.lines if line.where == "host"]
    assert sum(line.bytes for line in on_host if not line.later) == answer.host.total_bytes
    assert sum(line.bytes for line in on_host if line.later) == answer.host.growth_bytes


def test_an_estimate_keeps_the_contract():
    answer = estimate(DENSE, Launch(ctx_size=4096), gpus())
    assert type(answer).model_validate(answer.model_dump()) == answer


def test_what_moves_to_the_host_leaves_the_gpu():
    whole = estimate(EXPERTS, Launch(ctx_size=4096), gpus())
    moved = estimate(EXPERTS, Launch(ctx_size=4096, cpu_moe=True), gpus())
    by_pattern = estimate(EXPERTS, Launch(ctx_size=4096, override_tensor=[r"\.ffn_(up|down|gate)_exps=CPU"]), gpus())
    assert moved.devices[0].weights_bytes < whole.devices[0].weights_bytes // 5
    assert [part.weights_bytes for part in (by_pattern.devices[0], by_pattern.host)] == [
        part.weights_bytes for part in (moved.devices[0], moved.host)
    ]
    assert by_pattern.devices[0].compute_bytes == moved.devices[0].compute_bytes


def test_the_launch_chooses_the_devices():
    answer = estimate(DENSE, Launch(ctx_size=4096, device=["CUDA2", "CUDA0"], tensor_split=[1, 0]), gpus(3))
    assert [(device.name, device.weights_bytes > 0) for device in answer.devices] == [("GPU2", True), ("GPU0", False)]
    assert answer.devices[1].total_bytes == 0
    assert estimate(DENSE, Launch(ctx_size=4096, device=["none"]), gpus(2)).devices == []
    only = estimate(DENSE, Launch(ctx_size=4096, split_mode="none", main_gpu=1), gpus(2))
    assert [device.name for device in only.devices] == ["GPU1"]


def test_layers_are_shared_by_free_memory():
    uneven = [Gpu(memory_free_bytes=60 * GIB), Gpu(memory_free_bytes=20 * GIB)]
    said = estimate(DENSE, Launch(ctx_size=4096), uneven)
    asked = estimate(DENSE, Launch(ctx_size=4096, tensor_split=[3, 1]), gpus(2))
    assert [device.weights_bytes for device in said.devices] == [device.weights_bytes for device in asked.devices]


def test_attention_that_is_switched_off_is_said():
    small = from_catalog.model("gemma-4-e4b-it", "Q4_K_M")
    assert "flash_attn is auto" in estimate(small, Launch(ctx_size=16384, n_gpu_layers=12), gpus()).warnings[0]
    assert not estimate(small, Launch(ctx_size=16384), gpus()).warnings


@pytest.mark.parametrize(
    ("model", "launch", "reason"),
    [
        (DENSE, {"cache_type_v": "q8_0", "flash_attn": "off"}, "needs flash attention"),
        (LATENT, {"cache_type_k": "q8_0"}, "must be equal"),
        (DENSE, {"parallel": 300}, "at most 256"),
        (DENSE, {"split_mode": "row"}, "split_mode row"),
        (DENSE, {"device": ["CUDA7"]}, "device: entry 1"),
        (DENSE, {"device": ["CUDA0", "CUDA1"], "tensor_split": [1, 1, 1]}, "3 shares"),
        (DENSE, {"split_mode": "none", "main_gpu": 5}, "main_gpu is 5"),
        (DENSE, {"override_tensor": ["(=CPU"]}, "no valid pattern"),
        (DENSE, {"override_tensor": ["exps=TPU"]}, "entry 1"),
    ],
)
def test_a_refused_launch_says_why(model, launch, reason):
    with pytest.raises(LaunchRefused, match=reason):
        estimate(model, Launch(ctx_size=4096, **launch), gpus(2))


def test_a_cache_type_that_does_not_divide_the_heads_is_refused():
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 3200,
        "intermediate_size": 8640,
        "num_hidden_layers": 26,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "head_dim": 100,
        "vocab_size": 32000,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
    }
    model = from_hf_config.model(config, "Q8_0", name="open-llama-3b")
    with pytest.raises(LaunchRefused, match="blocks of 32 do not divide this model's head of 100"):
        estimate(model, Launch(ctx_size=2048, cache_type_k="q8_0", cache_type_v="q8_0"), gpus())


def test_a_graph_too_large_for_the_engine_is_refused():
    config = {
        "architectures": ["GraniteMoeForCausalLM"],
        "model_type": "granitemoe",
        "hidden_size": 1024,
        "intermediate_size": 512,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "num_local_experts": 32,
        "num_experts_per_tok": 8,
        "vocab_size": 49155,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1500000.0,
        "tie_word_embeddings": True,
        "embedding_multiplier": 12.0,
        "attention_multiplier": 0.015625,
        "residual_multiplier": 0.22,
        "logits_scaling": 6.0,
    }
    model = from_hf_config.model(config, "Q4_K_M", name="granite-3.1-1b-a400m")
    assert estimate(model, Launch(ctx_size=8192), gpus())
    with pytest.raises(LaunchRefused, match="beyond 2053"):
        estimate(model, Launch(ctx_size=8192, cache_type_k="q8_0", cache_type_v="q8_0"), gpus())


def test_slots_that_crash_kimi_linear_are_refused():
    model = from_catalog.model("kimi-linear-48b-a3b", "Q4_K_M")
    with pytest.raises(LaunchRefused, match="no multiple of parallel 3"):
        estimate(model, Launch(ctx_size=8192, parallel=3), gpus())
    assert estimate(model, Launch(ctx_size=8192, parallel=3, kv_unified=True), gpus())


def test_an_unknown_architecture_is_never_taken_for_another():
    metadata = {key.replace("llama.", "llama9."): value for key, value in DENSE.metadata.items()} | {
        "general.architecture": "llama9"
    }
    with pytest.raises(UnknownModel, match="'llama9' is not known"):
        estimate(dataclasses.replace(DENSE, metadata=metadata), Launch(ctx_size=4096), gpus())


def test_a_header_without_a_needed_key_is_named():
    metadata = {key: value for key, value in DENSE.metadata.items() if key != "llama.block_count"}
    with pytest.raises(UnknownModel, match=r"llama\.block_count"):
        estimate(dataclasses.replace(DENSE, metadata=metadata), Launch(ctx_size=4096), gpus())


def test_an_unknown_engine_is_refused():
    with pytest.raises(UnknownEngine, match=r"'9\.9\.9'"):
        estimate(DENSE, Launch(ctx_size=4096), gpus(), engine="9.9.9")


@pytest.mark.parametrize(
    "name", ["llama-3.2-1b-instruct", "lfm2-2.6b", "deepseek-v2-lite", "qwen3-next-80b-a3b-instruct"]
)
def test_a_header_with_something_missing_or_wrong_is_refused_or_estimated(name):
    """Whatever one key is, the answer is an estimate or one sentence."""
    model = from_catalog.model(name, "Q4_K_M")
    for key in model.metadata:
        for value in (None, 0, -1, "x", []):
            metadata = {**model.metadata, key: value}
            if value is None:
                del metadata[key]
            try:
                estimate(dataclasses.replace(model, metadata=metadata), Launch(ctx_size=1024, parallel=1), gpus())
            except (LaunchRefused, UnknownModel) as refusal:
                assert "\n" not in str(refusal)


def test_latent_attention_with_a_bf16_cache_and_without_flash_attention():
    """MiB as llama-fit-params of llama.cpp 0.7.0 prints them, which reserves a row of logits for every token."""
    launch = Launch(ctx_size=4096, parallel=1, cache_type_k="bf16", cache_type_v="bf16", flash_attn="off")
    answer = estimate(LATENT, launch, n_outputs=512)
    assert (answer.host.kv_bytes >> 20, answer.host.compute_bytes >> 20) == (274, 1438)


def test_experts_on_a_narrower_stream():
    """The same program's figure for the last of two GPUs, to which the whole hidden state is copied four times."""
    entry = access.model("nemotron-3-super-120b-a12b")
    keys = {**entry["metadata"], "nemotron_h_moe.block_count": 3}
    for key in ("attention.head_count_kv", "feed_forward_length"):
        keys[f"nemotron_h_moe.{key}"] = keys[f"nemotron_h_moe.{key}"][:3]
    model = from_catalog.quantised({**entry, "metadata": keys}, "BF16")
    launch = Launch(ctx_size=512, parallel=1, flash_attn="on", tensor_split=[2, 4])
    assert estimate(model, launch, gpus(2), n_outputs=512).devices[1].compute_bytes >> 20 == 328


@pytest.mark.parametrize("reverse", [False, True])
def test_what_was_asked_before_changes_no_answer(reverse):
    """Experts of the first layers, of the last, and of the first with a part of one more: alike, but not the same."""
    all_of_many = r"blk\.({})\.ffn_(up|gate|down)_(ch|)exps=CPU"
    launches = [
        {"n_cpu_moe": 30},
        {"override_tensor": [all_of_many.format("|".join(map(str, range(18, 48))))]},
        {"n_cpu_moe": 30, "override_tensor": [r"blk\.(30)\.ffn_(gate|down)_(ch|)exps=CPU"]},
    ]
    asked = [Launch(ctx_size=40960, parallel=1, n_gpu_layers=49, **options) for options in launches]
    fresh = [dataclasses.replace(from_catalog.model("qwen3-30b-a3b", "Q4_K_M")) for _launch in asked]
    alone = [estimate(model, launch, gpus()) for model, launch in zip(fresh, asked, strict=True)]
    shared = dataclasses.replace(fresh[0])
    order = sorted(range(len(asked)), reverse=reverse)
    together = {number: estimate(shared, asked[number], gpus()) for number in order}
    assert [together[number] for number in range(len(asked))] == alone
