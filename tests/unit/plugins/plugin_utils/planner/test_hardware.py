# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least hardware: DeepSeek V3 on the GPUs that it is asked for, and that less does not do."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access, hosts
from ansible_collections.prositronic.infra.tests.unit.templar import render

GIB = 1 << 30
BIG = {"quant": "Q4_K_M", "allow": {"host": False}}


@pytest.mark.parametrize(
    ("context", "counts"),
    [
        # 376.7 GiB of weights and 8.6 GiB of cache: five H100 have 390.8 GiB beside the reserve, but the largest layers
        # take 7.1 GiB, so that 61 of them do not come out even over five.
        (131072, {"H100-SXM-80GB": 6, "H200-SXM-141GB": 3, "MI300X": 3}),
        (32768, {"H100-SXM-80GB": 5, "H200-SXM-141GB": 3, "MI300X": 3}),
    ],
)
def test_deepseek_v3(context, counts):
    answer = answers.smallest_hardware("deepseek-v3", context=context, gpus=["H100", "H200", "MI300X"], **BIG)
    assert {one["gpu"]: one["count"] for one in answer["options"]} == counts
    assert answer["reserve_bytes_per_gpu"] == GIB
    for one in answer["options"]:
        assert one["placement"] == "gpu"
        assert one["gpu_memory_bytes"] == one["count"] * access.gpu(one["gpu"])["memory"]["nominal_bytes"]
        # (512 + 64) values of two bytes for each token and layer.
        assert one["used_bytes"] > answer["bytes"] + context * 576 * 2 * 61 - GIB
        assert one["headroom_bytes"] >= 0
        assert f"{one['count'] - 1} have " in one["why"]


@pytest.mark.parametrize(("gpu", "count"), [("H100-SXM-80GB", 5), ("H200-SXM-141GB", 3)])
def test_the_planner_agrees_that_one_less_does_not_do(gpu, count):
    wish = {"model": "deepseek-v3", "quant": "Q4_K_M", "context": {"wanted": 32768, "minimum": 32768}}
    plans = [
        answers.model_fit(
            host={"gpus": [hosts.gpu(gpu, i) for i in range(number)], "memory": {"total_bytes": 64 * GIB}},
            **wish,
            allow={"host": False, "disk": False},
            advice="never",
        )
        for number in (count - 1, count)
    ]
    assert [plan["placement"] for plan in plans] == ["none", "gpu"]


def test_the_least_memory_comes_first_and_ram_is_said():
    answer = answers.smallest_hardware("qwen3-30b-a3b", quant="Q4_K_M", context=32768)
    whole = [one for one in answer["options"] if one["placement"] == "gpu"]
    shared = [one for one in answer["options"] if one["placement"] == "gpu+host"]
    assert [one["gpu_memory_bytes"] for one in whole] == sorted(one["gpu_memory_bytes"] for one in whole)
    assert shared
    for one in shared:
        assert one["gpu_memory_bytes"] < whole[0]["gpu_memory_bytes"]
        assert one["used_bytes"] + one["minimum_ram_bytes"] > answer["bytes"]
        assert one["n_cpu_moe"] or one["override_tensor"] or one["n_gpu_layers"] < 49


def test_a_speed_that_is_asked_for_is_given():
    slow = answers.smallest_hardware("qwen3-32b", quant="Q4_K_M", context=8192)
    fast = answers.smallest_hardware("qwen3-32b", quant="Q4_K_M", context=8192, speed=40)
    assert all(one["speed"]["decode_tokens_per_second"]["expected"] > 40 for one in fast["options"] + fast["servers"])
    assert fast["options"][0]["gpu_memory_bytes"] >= slow["options"][0]["gpu_memory_bytes"]


def test_prices_carry_their_date():
    servers = answers.smallest_hardware("gpt-oss-120b", quant="MXFP4", context=32768)["servers"]
    prices = [server["price"] for server in servers if server["price"]]
    assert prices
    assert all(price["when"] and price["source"] for price in prices)
    for server in servers:
        assert server["count"] == access.server(server["server"])["gpu_count"]


def test_the_filter_through_templates():
    answer = render(
        "model | prositronic.infra.smallest_hardware(quant='Q4_K_M', context=tokens, gpus=['L4', 'T4'], max_gpus=2)",
        model="{{ 'llama-3.1-8b-instruct' }}",
        tokens=8192,
    )
    assert {one["gpu"] for one in answer["options"] if one["placement"] == "gpu"} == {"L4", "T4"}
    assert render("answer | to_json | from_json == answer", answer=answer) is True


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("quant='Q4_K_M', gpus=['H10O']", "H100"),
        ("", "quant='Q4_K_M'"),
        ("quant='Q4_K_M', max_gpus=0", "max_gpus"),
        ("quant='Q4_K_M', gpu='H100'", "did you mean 'gpus'"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(arguments, text):
    from ansible.errors import AnsibleTemplateError

    with pytest.raises(AnsibleTemplateError) as refused:
        render(f"'llama-3.1-8b-instruct' | prositronic.infra.smallest_hardware({arguments})")
    assert text in str(refused.value)
