# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several models on one host: no GPU to two of them, RAM for all, what has no place is named."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import hosts
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError

GIB = 1 << 30
SMALL = {"model": "llama-3.1-8b-instruct", "quant": "Q8_0", "context": 8192}
MOE = {"model": "qwen3-30b-a3b", "quant": "Q8_0", "context": 8192}
LARGE = {"model": "llama-3.3-70b-instruct", "quant": "Q4_K_M", "context": 8192}


def _host(*gpus, ram_gib=128, **more):
    described = [{**hosts.gpu(name, index), "uuid": f"GPU-{index}"} for index, name in enumerate(gpus)]
    return {"gpus": described, "memory": {"total_bytes": ram_gib * GIB}, **more}


def _used(plan):
    return [device["index"] for device in plan["memory"]["devices"]] if plan["memory"] else []


def _no_gpu_twice(plans):
    return not any(set(_used(a)) & set(_used(b)) for a, b in itertools.combinations(plans, 2))


def test_the_large_model_gets_the_gpus_that_the_small_one_can_do_without():
    """One by one, the small model would take the 48 GB card, and the large one would have none that holds it."""
    host = _host("L40S", "RTX-4090")
    answer = answers.model_fit(host, models=[{"name": "small", **SMALL}, {"name": "large", **LARGE}])
    assert [(_used(plan), plan["placement"]) for plan in answer["plans"]] == [([1], "gpu"), ([0], "gpu")]
    assert answer["unplaced"] == []


def test_a_gpu_that_cannot_give_the_whole_context_is_not_left_idle():
    """As one model alone is placed: on the GPU with less context rather than in RAM with all of it."""
    wish = {"model": "gemma-3-27b-it", "quant": "Q4_K_M", "context": 131072}
    alone = answers.model_fit(_host("L4"), **wish)
    assert alone["placement"] == "gpu" and alone["memory"]["n_ctx_seq"] < 131072
    answer = answers.model_fit(_host("L4"), models=[{"name": "a", **wish}, {"name": "b", "port": 8081, **wish}])
    assert sorted(plan["placement"] for plan in answer["plans"]) == ["gpu", "host"]


def test_replicas_have_a_gpu_a_name_and_a_port_each():
    answer = answers.model_fit(
        _host(*["RTX-4090"] * 4), models=[{"name": "chat", "port": 8080, "replicas": 4, **SMALL}]
    )
    plans = answer["plans"]
    assert sorted(index for plan in plans for index in _used(plan)) == [0, 1, 2, 3]
    assert [(plan["launch"]["alias"], plan["launch"]["port"]) for plan in plans] == [
        ("chat-1", 8080),
        ("chat-2", 8081),
        ("chat-3", 8082),
        ("chat-4", 8083),
    ]


def test_ram_is_shared_out_too_and_what_has_no_place_is_named():
    """Each of two such models needs about 18 GiB of RAM beside one 16 GB card; 28 are enough for one of them."""
    without_disk = {"allow": {"disk": False}}
    wishes = [{"name": name, **MOE, **without_disk} for name in ("first", "second")]
    roomy = answers.model_fit(_host("RTX-4080", "RTX-4080", ram_gib=128), models=wishes)
    tight = answers.model_fit(_host("RTX-4080", ram_gib=28), models=wishes)
    assert roomy["unplaced"] == []
    assert _no_gpu_twice(roomy["plans"])
    assert [plan["placement"] for plan in tight["plans"]] == ["gpu+host", "none"]
    assert tight["unplaced"] == ["second"]
    held = sum(plan["memory"]["host"]["total_bytes"] for plan in roomy["plans"])
    assert held <= (128 - 4) * GIB


def test_a_model_stays_within_a_mig_slice():
    """Two slices of 19 GiB together would hold 32 GiB of weights, but CUDA gives a process one slice."""
    slices = [
        {
            "uuid": f"MIG-{number}",
            "vendor": "nvidia",
            "compute_capability": "9.0",
            "memory_free_bytes": 19 * GIB,
            "mig": {"profile": "2g.20gb", "parent_uuid": "GPU-0"},
        }
        for number in range(3)
    ]
    host = {"gpus": slices, "memory": {"total_bytes": 128 * GIB}}
    plan = answers.model_fit(host, **MOE)
    assert plan["placement"] == "gpu+host"
    assert len(_used(plan)) == 1
    both = answers.model_fit(host, models=[{"name": "a", **SMALL}, {"name": "b", **SMALL}, {"name": "c", **SMALL}])
    assert sorted(_used(plan) for plan in both["plans"]) == [[0], [1], [2]]


def test_what_runs_keeps_its_gpus():
    """Asked in another order, with memory that is now in use, each model stays where it is."""
    wishes = [{"name": "a", **SMALL}, {"name": "b", **SMALL}]
    first = answers.model_fit(_host("RTX-4090", "RTX-4090"), models=wishes)["plans"]
    host = _host("RTX-4090", "RTX-4090")
    host["instances"] = [
        {
            "name": wish["name"],
            "plan_id": plan["plan_id"],
            "request_id": plan["request_id"],
            "launch": plan["launch"],
            "gpu_memory_bytes": [
                {"uuid": device["uuid"], "bytes": device["total_bytes"]} for device in plan["memory"]["devices"]
            ],
        }
        for wish, plan in zip(wishes, first, strict=True)
    ]
    for instance in host["instances"]:
        for held in instance["gpu_memory_bytes"]:
            gpu = next(gpu for gpu in host["gpus"] if gpu["uuid"] == held["uuid"])
            gpu["memory_free_bytes"] -= held["bytes"]
    again = answers.model_fit(host, models=wishes[::-1])["plans"][::-1]
    assert [(plan["plan_id"], _used(plan)) for plan in again] == [(plan["plan_id"], _used(plan)) for plan in first]


def test_a_fleet_shares_out_each_of_its_hosts():
    host = _host("RTX-4090", "RTX-4090")
    wishes = [{"name": "a", **SMALL}, {"name": "b", **SMALL}]
    alone = answers.fleet_fit({"one": host, "two": host}, wishes)
    shared = answers.fleet_fit({"one": host, "two": host}, wishes, together=True)
    assert [_used(alone["plans"][index]) for index in alone["hosts"]["one"].values()] == [[0], [0]]
    assert [_used(shared["plans"][index]) for index in shared["hosts"]["two"].values()] == [[0], [1]]
    assert len(shared["plans"]) == 2


def test_a_host_whose_driver_is_too_old_does_not_stop_the_fleet():
    good = _host("RTX-4090", driver={"version": "610.43.02"})
    old = _host("RTX-4090", driver={"version": "470.5"})
    answer = answers.fleet_fit({"good": good, "old": old}, [{"name": "a", **SMALL}])
    assert list(answer["refused"]) == ["old"]
    assert "install 570.26 or newer" in answer["refused"]["old"]
    assert answer["hosts"] == {"good": {"a": 0}, "old": {}}
    assert any("old: driver 470.5 is too old" in line for line in answer["table"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"models": []}, "models: give a list"),
        ({"models": [{"name": "a", **SMALL}], "quant": "Q8_0"}, "'quant' beside it belongs into the entries"),
        ({"models": [{"name": "a", **SMALL}, {"name": "a", **SMALL}]}, "the name 'a' is given twice"),
        ({"models": [{"name": f"m{n}", **SMALL, "context": 4096 + n} for n in range(9)]}, "9 different ones"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ContractError, match=sentence):
        answers.model_fit(_host("RTX-4090"), **arguments)


def test_a_plan_of_a_fleet_names_the_place_of_each_hosts_own_card():
    nvidia = {"vendor": "nvidia", "memory_free_bytes": 23 * GIB, "compute_capability": "8.9"}
    amd = {"vendor": "amd", "memory_free_bytes": 8 * GIB}
    memory = {"total_bytes": 64 * GIB}
    fleet = {"first": {"gpus": [nvidia, amd], "memory": memory}, "second": {"gpus": [amd, nvidia], "memory": memory}}
    answer = answers.fleet_fit(fleet, [{"name": "chat", **SMALL}])
    used = {name: _used(answer["plans"][place["chat"]]) for name, place in answer["hosts"].items()}
    assert used == {"first": [0], "second": [1]}


def test_hosts_of_a_fleet_that_differ_for_one_of_several_models_have_plans_of_their_own():
    """The first model leaves no RAM on either host, the second only on the larger one enough for its weights."""
    reserves = {"a": 64 * GIB, "b": GIB}
    wishes = [{"name": name, **SMALL, "reserve": {"ram_bytes": size}} for name, size in reserves.items()]
    fleet = {f"{size} GiB": {"gpus": [], "memory": {"total_bytes": size * GIB}} for size in (8, 32)}
    answer = answers.fleet_fit(fleet, wishes, together=True)
    assert answer["hosts"]["8 GiB"]["b"] != answer["hosts"]["32 GiB"]["b"]
