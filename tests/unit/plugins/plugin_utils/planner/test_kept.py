# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second run changes nothing: a plan made while its own server runs, or with memory a little less free, is the plan."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers

GIB = 1 << 30
MIB = 1 << 20
WISH = {"model": "qwen3-30b-a3b", "quant": "Q4_K_M", "name": "chat", "port": 8080}


def _host(free_bytes, available_bytes=60 * GIB, instances=()):
    return {
        "gpus": [
            {
                "uuid": uuid,
                "vendor": "nvidia",
                "compute_capability": "8.9",
                "memory_total_bytes": 12 * GIB,
                "memory_free_bytes": free_bytes,
            }
            for uuid in ("GPU-a", "GPU-b")
        ],
        "memory": {"total_bytes": 64 * GIB, "available_bytes": available_bytes},
        "instances": list(instances),
    }


def _instance(plan, running=True):
    """What gpu_facts reads back of an installed plan; an instance that does not run holds nothing."""
    return {
        "name": "chat",
        "plan_id": plan["plan_id"],
        "request_id": plan["request_id"],
        "model": plan["model"]["id"],
        "quant": plan["quant"]["name"],
        "launch": plan["launch"],
        "gpu_memory_bytes": [
            {"uuid": device["uuid"], "bytes": device["total_bytes"] if running else 0}
            for device in plan["memory"]["devices"]
        ],
        "host_memory_bytes": plan["memory"]["host"]["total_bytes"] if running else 0,
    }


@pytest.fixture(scope="module")
def plan():
    return answers.model_fit(_host(11 * GIB), **WISH)


def _again(plan, free_bytes, running=True, **changes):
    return answers.model_fit(_host(free_bytes, instances=[_instance(plan, running)]), **(WISH | changes))


def test_a_plan_made_while_its_own_server_runs_is_the_same_plan(plan):
    held = max(device["total_bytes"] for device in plan["memory"]["devices"])
    again = _again(plan, 11 * GIB - held)
    assert (again["plan_id"], again["launch"]) == (plan["plan_id"], plan["launch"])


@pytest.mark.parametrize("change", [-400 * MIB, -33 * MIB, 33 * MIB, GIB // 2])
def test_memory_that_is_a_little_more_or_less_free_changes_nothing(plan, change):
    again = _again(plan, 11 * GIB + change, running=False)
    assert (again["plan_id"], again["launch"]) == (plan["plan_id"], plan["launch"])


def test_what_no_longer_fits_is_planned_anew(plan):
    again = _again(plan, 4 * GIB, running=False)
    assert again["plan_id"] != plan["plan_id"]
    for device in again["memory"]["devices"]:
        assert device["total_bytes"] <= 4 * GIB


def test_another_wish_is_planned_anew(plan):
    again = _again(plan, 11 * GIB, running=False, context=8192)
    assert again["launch"]["ctx_size"] == 8192


def test_it_is_planned_anew_on_request(plan):
    roomy = _again(plan, 12 * GIB, running=False)
    anew = _again(plan, 12 * GIB, running=False, replan=True)
    fresh = answers.model_fit(_host(12 * GIB), **WISH)
    assert roomy["launch"] == plan["launch"]
    assert anew["launch"] == fresh["launch"]


def test_a_gpu_that_is_gone_is_planned_around(plan):
    host = _host(11 * GIB, instances=[_instance(plan, running=False)])
    host["gpus"] = host["gpus"][:1]
    again = answers.model_fit(host, **WISH)
    assert [device["uuid"] for device in again["memory"]["devices"]] == ["GPU-a"]


def test_a_choice_that_was_installed_is_not_made_anew():
    """With more memory a better quant would fit; that is no reason to load another file."""
    wish = {"model": ["qwen3-4b", "llama-3.2-3b-instruct"], "quant": "auto", "name": "chat", "context": 8192}
    plan = answers.model_fit(_host(5 * GIB), **wish)
    again = answers.model_fit(_host(12 * GIB, instances=[_instance(plan, running=False)]), **wish)
    fresh = answers.model_fit(_host(12 * GIB), **wish)
    assert again["plan_id"] == plan["plan_id"] != fresh["plan_id"]
    assert answers.model_fit(_host(12 * GIB, instances=[_instance(plan, False)]), **wish, replan=True) == fresh
