# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was seen of an engine at work, as a run for the next plan and held against the plan it belongs to."""

from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost
from ansible_collections.prositronic.infra.tests import golden
from ansible_collections.prositronic.infra.tests.unit.small_llama import llama
from ansible_collections.prositronic.infra.tests.unit.templar import render

PLAN = golden.plan("two-l4-qwen3-30b")
HOST = golden.host("two-l4-one-in-use")
DEVICES = PLAN["memory"]["devices"]
EXPECTED = PLAN["speed"]["decode_tokens_per_second"]
CALL = "seen | prositronic.infra.measured_run(plan=plan, host=host, name='chat')"


def seen(**changed):
    """What llama_server_info returns of a server that does exactly as planned."""
    return {
        "measured_at": "2026-11-22T02:35:26Z",
        "unit": "llama-server-chat.service",
        "running": True,
        "build": 11669,
        "model": {"path": "/srv/x.gguf", "parameters": PLAN["model"]["parameters"], "bytes": PLAN["model"]["bytes"]},
        "devices": [
            {"device": device["device"], **{key: device[key] for key in ("weights_bytes", "kv_bytes", "compute_bytes")}}
            for device in DEVICES
        ],
        "host": {
            key: PLAN["memory"]["host"][key] for key in ("weights_bytes", "kv_bytes", "compute_bytes", "output_bytes")
        },
        "gpus": [{"index": device["index"], "held_bytes": device["total_bytes"]} for device in DEVICES],
        "driver": "580.95.05",
        "host_held_bytes": 1 << 30,
        "load_seconds": 12.5,
        "rates": {"decode_tokens_per_second": EXPECTED["expected"], "prefill_tokens_per_second": None},
        **changed,
    }


def told(plan=PLAN, host=HOST, **changed):
    return render(CALL, seen=seen(**changed), plan=plan, host=host)


def test_a_server_as_planned_has_no_problem_and_is_kept_whole():
    answer = told()
    assert answer["problems"] == []
    assert answer["advice"] == []
    run = answer["run"]
    assert run["source"] == "llama-server"
    assert run["engine"] == {"version": "0.7.0", "build": 11669}
    assert run["launch"] == PLAN["launch"]
    assert [device["uuid"] for device in run["devices"]] == [gpu["uuid"] for gpu in HOST["gpus"]]
    assert [device["held_bytes"] for device in run["devices"]] == [device["total_bytes"] for device in DEVICES]
    # it is what the next plan's facts may carry
    InferenceHost.read(HOST | {"measured": {"schema": 1, "runs": [run]}}, "host")


def test_another_build_has_no_version():
    assert told(build=11670)["run"]["engine"] == {"version": None, "build": 11670}


def test_a_buffer_that_differs_by_more_than_a_hundredth_of_the_device():
    devices = seen()["devices"]
    for percent, differs in ((0.9, False), (1.1, True)):
        changed = copy.deepcopy(devices)
        changed[0]["kv_bytes"] += round(DEVICES[0]["total_bytes"] * percent / 100)
        answer = told(devices=changed)
        assert bool(answer["problems"]) is differs
    assert answer["problems"][0].startswith("GPU0 KV cache: ")
    assert any(line.startswith("!  GPU0 KV cache") for line in answer["table"])


def test_a_device_in_all_may_differ_by_its_assumed_overhead():
    overhead = DEVICES[1]["overhead_bytes"]
    for more, differs in ((overhead, False), (2 * overhead, True)):
        gpus = copy.deepcopy(seen()["gpus"])
        gpus[1]["held_bytes"] += more
        assert bool(told(gpus=gpus)["problems"]) is differs


@pytest.mark.parametrize(("rate", "differs"), [(EXPECTED["expected"], False), (EXPECTED["high"] * 1.5, True)])
def test_a_rate_has_its_band(rate, differs):
    answer = told(rates={"decode_tokens_per_second": rate})
    assert bool(answer["problems"]) is differs
    assert answer["advice"] == []  # being faster needs none


SLOW = {"decode_tokens_per_second": 1.0}


def test_a_slow_server_names_who_shares_its_gpu():
    [sentence] = told(rates=SLOW)["advice"]
    assert sentence.startswith("GPU1 is shared with embeddings.service, which hold 11.7 GiB")


def quiet():
    host = copy.deepcopy(HOST)
    host["gpus"][1]["processes"] = []
    return host


def test_its_own_processes_are_no_cause():
    host = quiet()
    host["gpus"][0]["processes"] = [{"pid": 1, "memory_bytes": 1 << 30, "unit": "llama-server-chat.service"}]
    [sentence] = told(host=host, rates=SLOW)["advice"]
    assert sentence.startswith("The facts of this host show no cause")


def test_limits_and_links_are_named_as_they_were_seen():
    host = quiet()
    host["gpus"][1]["pcie"] = {"generation": 4, "width": 4, "maximum_generation": 4, "maximum_width": 16}
    gpus = seen()["gpus"]
    gpus[0]["clocks_limited_by"] = ["thermal"]
    clocks, lanes = told(host=host, gpus=gpus, rates=SLOW)["advice"]
    assert clocks.startswith("GPU0 runs below its clock: it is too hot")
    assert lanes.startswith("GPU1 has 4 PCIe lanes of the 16")


def test_the_host_is_looked_at_where_it_computes():
    host = quiet()
    host["cpu"]["numa_nodes"] = [{"node": 0}, {"node": 1}]
    host["instances"] = [{"name": "code", "unit": "llama-server-code.service", "active": True}]
    plan = copy.deepcopy(PLAN)
    assert "NUMA" not in " ".join(told(host=host, rates=SLOW)["advice"][0].partition("show")[0])
    plan["placement"] = "gpu+host"
    numa, others = told(plan=plan, host=host, rates=SLOW)["advice"]
    assert numa.startswith("The host has 2 NUMA nodes")
    assert others.startswith("code computed on the same processors")


def test_another_model_than_the_planned_one_is_told_and_kept_without_its_name():
    answer = told(model={"parameters": 5, "bytes": 20})
    assert answer["problems"][0].startswith("a model of 5 parameters ran, and the plan is for one of 30,532,122,624")
    assert answer["run"]["model"] == {"id": None, "quant": None, "parameters": 5, "bytes": 20}


@pytest.mark.parametrize("value", [{"running": False}, {"model": None}, [1], "text"])
def test_what_is_no_look_is_refused_in_a_sentence(value):
    with pytest.raises(AnsibleError, match="measured_run: seen: "):
        render(CALL, seen=value, plan=PLAN, host=HOST)


BENCH_HOST = {
    "gpus": [],
    "memory": {"total_bytes": 24 << 30, "available_bytes": 22 << 30},
    "cpu": {"physical_cores": 2},
}
# As llama-bench of build 11669 told it of this model, with a context of 320 tokens at most
BENCH = {
    "measured_at": "2026-11-22T03:00:00Z",
    "context": 320,
    "build": 11669,
    "model": {"parameters": 76_100_608, "bytes": 304_402_432},
    "rates": [
        {"depth": 0, "prompt_tokens": 64, "prefill_tokens_per_second": 600.0, "decode_tokens_per_second": 1.5},
        {"depth": 256, "prompt_tokens": 64, "prefill_tokens_per_second": 500.0, "decode_tokens_per_second": 1.4},
    ],
    "gpus": [],
    "host_held_bytes": 354_922_496,
    "busy_cores": 3.2,
}
BENCH_CALL = (
    "seen | prositronic.infra.measured_run(host=host, model=model, "
    "plan=host | prositronic.infra.model_fit(model, context=2048, parallel=1, reserve={'ram_bytes': 0}))"
)


def test_a_benchmark_is_compared_at_its_own_context():
    answer = render(BENCH_CALL, seen=BENCH, host=BENCH_HOST, model=llama())
    assert answer["run"]["source"] == "llama-bench"
    assert [rate["depth"] for rate in answer["run"]["rates"]] == [0, 256]
    figures = {(each["what"], each["where"]): each for each in answer["figures"]}
    in_all = figures["in all", "host"]
    # weights, 8 MiB of cache for 512 cells (half a MiB for 32), and a compute buffer: not the 32 MiB of 2,048 cells
    cache = 512 * 2 * 8 * 512 * 2
    assert 304_402_432 + cache < in_all["planned"] < 304_402_432 + cache + (32 << 20)
    assert not in_all["differs"]
    assert figures["generation", "at 0 tokens"]["differs"]
    assert ("generation", "at 256 tokens") not in figures  # of which the plan says nothing
    assert answer["advice"] == [
        "Other programs kept 3.2 cores busy when the benchmark began: measure while the host is quiet."
    ]


def test_the_next_plan_expects_what_was_measured_of_this_build_and_model():
    run = render(BENCH_CALL, seen=BENCH, host=BENCH_HOST, model=llama())["run"]
    plan = "host | prositronic.infra.model_fit(model, context=2048, parallel=1, reserve={'ram_bytes': 0})"

    def basis(model=None, **changed):
        host = BENCH_HOST | {"measured": {"schema": 1, "runs": [run | changed]}}
        speed = render(plan, host=host, model=model or llama())["speed"]
        return speed["basis"], speed["decode_tokens_per_second"]["expected"]

    assert basis() == ("measured", 1.5)
    assert basis(engine={"version": None, "build": 11670})[0] != "measured"
    assert basis(model=llama(layers=6))[0] != "measured"
