# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan against the engine. What llama-fit-params 0.7.0 (build 11669) printed for the same launches is in `TOLD`, in MiB."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError
from ansible_collections.prositronic.infra.tests.unit.small_llama import LAYERS, llama

MIB = 1 << 20
HOST = {
    "gpus": [],
    "memory": {"total_bytes": 24 << 30, "available_bytes": 22 << 30},
    "cpu": {"physical_cores": 2},
}
# Tokens of context for each request, requests at once (None is four that share the context) -> the line "Host"
TOLD = {
    (2048, 1): (290, 32, 24),
    (2048, None): (290, 32, 24),
    (512, 4): (290, 32, 22),
}


def planned(context=2048, parallel=1, host=None, **wish):
    return answers.model_fit(
        host or HOST, model=llama(), context=context, parallel=parallel, name="chat", reserve={"ram_bytes": 0}, **wish
    )


def told(*figures, device="Host"):
    weights, cache, compute = figures
    return [{"device": device, "weights_bytes": weights * MIB, "kv_bytes": cache * MIB, "compute_bytes": compute * MIB}]


@pytest.mark.parametrize("demand", TOLD)
def test_the_plan_is_what_the_engine_says(demand):
    verdict = answers.preflight(planned(*demand), HOST, HOST, llama(), told(*TOLD[demand]))
    assert verdict["problems"] == []
    assert [line.split() for line in verdict["table"][2:]] == [["Host", *map(str, TOLD[demand] * 2)]]


def test_the_engine_is_asked_with_the_plans_options_at_one_slot_where_slots_share():
    question = answers.preflight_question(planned(2048, None), HOST, model="/srv/models/llama.gguf")
    options = {name: values for name, *values in question["options"]}
    assert options["--ctx-size"] == ["2048"]
    assert options["--parallel"] == ["1"]
    assert options["--device"] == ["none"]
    assert options["--model"] == ["/srv/models/llama.gguf"]
    assert "--port" not in options


@pytest.mark.parametrize(("place", "name"), [*enumerate(("model", "context", "compute"))])
@pytest.mark.parametrize("percent", [2, -2])
def test_a_buffer_that_is_off_by_more_than_a_hundredth_is_told_with_both_tables(place, name, percent):
    true = TOLD[2048, 1]
    wrong = list(true)
    wrong[place] += round(sum(true) * percent / 100)
    verdict = answers.preflight(planned(), HOST, HOST, llama(), told(*wrong))
    [problem] = verdict["problems"]
    assert problem == f"Host: the {name} takes {true[place]} MiB by the plan and {wrong[place]} MiB by llama.cpp"
    assert verdict["table"][-1].endswith(f"{name} differs")


def test_rounding_is_no_difference():
    assert answers.preflight(planned(), HOST, HOST, llama(), told(291, 31, 25))["problems"] == []


def test_a_device_that_only_the_engine_uses_is_a_difference():
    extra = told(*TOLD[2048, 1]) + told(0, 0, 50, device="CUDA0")
    [problem] = answers.preflight(planned(), HOST, HOST, llama(), extra)["problems"]
    assert problem.startswith("CUDA0: the compute takes 0 MiB by the plan and 50 MiB")


def test_another_file_than_was_planned_is_a_difference():
    # two layers less: 290 MiB less two of 36 MiB, and a quarter of the cache
    problems = answers.preflight(planned(), HOST, HOST, llama(LAYERS - 2), told(218, 24, 24))["problems"]
    assert any(problem.startswith("Host: the model takes 290 MiB by the plan and 218 MiB") for problem in problems)


GPU = {
    "index": 0,
    "uuid": "GPU-1",
    "name": "NVIDIA L4",
    "vendor": "nvidia",
    "memory_total_bytes": 24 << 30,
    "memory_free_bytes": 23 << 30,
    "compute_capability": "8.9",
}
GPU_HOST = HOST | {"gpus": [GPU], "driver": {"vendor": "nvidia", "version": "610.43.02", "cuda_version": "13.3"}}


def gpu_host(free, held=0):
    instance = {"name": "chat", "gpu_memory_bytes": [{"uuid": "GPU-1", "bytes": held}], "host_memory_bytes": 0}
    return GPU_HOST | {"gpus": [GPU | {"memory_free_bytes": free}], "instances": [instance]}


def test_what_the_instance_itself_holds_counts_as_free():
    plan = planned(host=GPU_HOST)
    needed = plan["memory"]["devices"][0]["total_bytes"]  # 0.79 GiB: free memory counts in steps of 32 MiB
    assert plan["placement"] == "gpu"
    assert answers.preflight(plan, GPU_HOST, gpu_host(GPU["memory_free_bytes"]))["problems"] == []
    [problem] = answers.preflight(plan, GPU_HOST, gpu_host(needed // 2))["problems"]
    assert problem.startswith("CUDA0 has 0.38 GiB free")
    assert answers.preflight(plan, GPU_HOST, gpu_host(needed // 2, held=needed), name="chat")["problems"] == []
    # another instance's memory does not come back
    assert answers.preflight(plan, GPU_HOST, gpu_host(needed // 2, held=needed), name="code")["problems"]


def test_short_ram_is_told():
    now = HOST | {"memory": {"total_bytes": 24 << 30, "available_bytes": 256 << 20}}
    [problem] = answers.preflight(planned(), HOST, now)["problems"]
    assert problem.startswith("RAM has 0.25 GiB free")


def test_a_plan_of_another_form_is_refused_in_a_sentence():
    with pytest.raises(ContractError, match="plan: 'plan_id' is missing"):
        answers.preflight({}, HOST, HOST)
