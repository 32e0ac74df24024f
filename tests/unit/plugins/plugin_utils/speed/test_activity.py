# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a token reads and computes, by tensor names and shapes."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Model, Tensor
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.activity import activity
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.disk import disk_bytes
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.memory_channels import memory_bandwidth
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.rates import Range


def model(tensors, **keys):
    metadata = {
        "general.architecture": "any",
        **{f"any.{key.replace('__', '.')}": value for key, value in keys.items()},
    }
    return Model("any", "any", metadata, tuple(Tensor(*tensor) for tensor in tensors))


ATTENTION = [
    ("blk.0.attn_norm.weight", (1024,), "F32"),
    ("blk.0.attn_q.weight", (1024, 2048), "Q8_0"),
    ("blk.0.attn_k.weight", (1024, 512), "Q8_0"),
    ("blk.0.attn_v.weight", (1024, 256), "F16"),
    ("blk.0.attn_output.weight", (2048, 1024), "Q8_0"),
]
KEYS = {"block_count": 1, "embedding_length": 1024, "attention__head_count": 16, "attention__head_count_kv": 4}


def test_dense_weights_are_read_once_and_the_embedding_not_at_all():
    layer, output = activity(
        model([("token_embd.weight", (1024, 5000), "F16"), *ATTENTION, ("output.weight", (1024, 5000), "F16")], **KEYS)
    ).layers
    quantised = 1024 * (2048 + 512 + 2048)
    assert layer.dense_bytes == 1024 * 4 + quantised * 34 // 32 + 1024 * 256 * 2
    assert layer.dense_values == 1024 + quantised + 1024 * 256
    assert output.dense_bytes == 1024 * 5000 * 2


def test_a_tied_embedding_is_read_as_the_output():
    output = activity(model([("token_embd.weight", (1024, 5000), "F16"), *ATTENTION], **KEYS)).layers[-1]
    assert output.dense_bytes == 1024 * 5000 * 2


def test_a_cell_holds_keys_and_values_in_the_types_of_the_cache():
    layer = activity(model(ATTENTION, **KEYS)).layers[0]
    assert (layer.key_values, layer.value_values) == (512, 256)
    assert layer.cell_bytes("f16", "f16") == 2 * (512 + 256)
    assert layer.cell_bytes("q8_0", "q8_0") == (512 + 256) * 34 // 32
    # each of 16 heads multiplies with a key of 128 and adds a value of 64 values
    assert layer.cell_flops == 2 * 16 * (128 + 64)


def test_experts_are_read_by_the_share_used_and_shared_ones_always():
    parts = [
        ("blk.0.ffn_gate_inp.weight", (1024, 32), "F32"),
        ("blk.0.ffn_gate_exps.weight", (1024, 256, 32), "MXFP4"),
        ("blk.0.ffn_up_exps.weight", (1024, 256, 32), "MXFP4"),
        ("blk.0.ffn_down_exps.weight", (256, 1024, 32), "MXFP4"),
        ("blk.0.ffn_up_shexp.weight", (1024, 256), "F16"),
    ]
    layer = activity(model(ATTENTION + parts, expert_used_count=4, **KEYS)).layers[0]
    plain = activity(model(ATTENTION, **KEYS)).layers[0]
    assert layer.expert_bytes == 3 * 1024 * 256 * 32 * 17 // 32
    assert layer.routed_bytes == layer.expert_bytes / 8
    assert layer.dense_bytes - plain.dense_bytes == 1024 * 32 * 4 + 1024 * 256 * 2


def test_latent_attention_caches_one_row_and_no_values():
    tensors = [
        ("blk.0.attn_q_a.weight", (7168, 1536), "Q8_0"),
        ("blk.0.attn_q_b.weight", (1536, 24576), "Q8_0"),
        ("blk.0.attn_kv_a_mqa.weight", (7168, 576), "Q8_0"),
        ("blk.0.attn_k_b.weight", (128, 512, 128), "Q8_0"),
        ("blk.0.attn_v_b.weight", (512, 128, 128), "Q8_0"),
    ]
    keys = {
        "block_count": 1,
        "attention__head_count": 128,
        "attention__head_count_kv": 1,
        "attention__kv_lora_rank": 512,
    }
    layer = activity(model(tensors, **keys)).layers[0]
    assert layer.cell_bytes("f16", "f16") == 1152
    assert layer.cell_flops == 2 * 128 * (576 + 512)


def test_a_window_bounds_what_a_token_looks_at():
    tensors = [
        (name.replace("blk.0", f"blk.{index}"), shape, kind) for index in range(2) for name, shape, kind in ATTENTION
    ]
    keys = KEYS | {
        "block_count": 2,
        "attention__sliding_window": 512,
        "attention__sliding_window_pattern": [True, False],
    }
    near, far, _output = activity(model(tensors, **keys)).layers
    assert (near.cells(100), near.cells(8192)) == (100, 512)
    assert far.cells(8192) == 8192


def test_a_recurrent_layer_reads_its_state_and_no_cache():
    tensors = [
        ("blk.0.attn_qkv.weight", (2048, 8192), "BF16"),
        ("blk.0.ssm_conv1d.weight", (4, 8192), "F32"),
        ("blk.0.ssm_norm.weight", (128,), "F32"),
        ("blk.0.ssm_out.weight", (4096, 2048), "BF16"),
    ]
    layer = activity(model(tensors, **KEYS)).layers[0]
    assert layer.cell_bytes("f16", "f16") == 0
    # 32 heads of 128 x 128 and four columns of the convolution, in F32, read and written
    assert layer.state_bytes == 2 * 4 * (32 * 128 * 128 + 4 * 8192)


def test_blocks_that_predict_further_tokens_are_not_run():
    tensors = [
        (name.replace("blk.0", f"blk.{index}"), shape, kind) for index in range(2) for name, shape, kind in ATTENTION
    ]
    run, ahead, _output = activity(model(tensors, **(KEYS | {"block_count": 2, "nextn_predict_layers": 1}))).layers
    assert run.dense_bytes > 0
    assert ahead.dense_bytes == 0


def test_a_model_of_nothing_known_is_counted_as_nothing():
    found = activity(model([]))
    assert (found.token_bytes, found.vocabulary, len(found.layers)) == (0, 0, 1)


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("AMD EPYC 9654 96-Core Processor", 460.8),
        ("AMD EPYC 7302P 16-Core Processor", 204.8),
        ("Intel(R) Xeon(R) CPU E5-2690 v3 @ 2.60GHz", 68.3),
        ("Intel(R) Xeon(R) Platinum 8480+", 307.2),
        ("INTEL(R) XEON(R) GOLD 6542Y", 358.4),
        ("AMD Ryzen Threadripper PRO 5975WX 32-Cores", 204.8),
        ("AMD Ryzen 9 7950X 16-Core Processor", 83.2),
        ("AMD Ryzen 5 3600 6-Core Processor", 51.2),
        ("13th Gen Intel(R) Core(TM) i7-13700K", 76.8),
        ("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", 256.0),
    ],
)
def test_memory_channels_by_the_cpus_name(name, gigabytes):
    assert memory_bandwidth(name) == pytest.approx(gigabytes * 1e9, rel=0.01)


def test_a_cpu_not_known_is_not_guessed():
    assert memory_bandwidth("QEMU Virtual CPU version 2.5+") is None


def test_what_ram_holds_is_never_fetched():
    assert disk_bytes(10, 20, held=100, room=100) == Range(0, 0, 0)


def test_of_experts_the_missing_share_is_fetched():
    assert disk_bytes(0, 20, held=100, room=25) == Range(15, 15, 15)


def test_dense_layers_may_be_fetched_in_full_although_half_of_them_fit():
    slow, expected, fast = disk_bytes(100, 0, held=100, room=50)
    assert (slow, expected, fast) == (100, 75, 50)
