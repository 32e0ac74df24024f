# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do where a model does not run: what is proposed is planned again, and must come true."""

from __future__ import annotations

import copy
import re

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access, hosts, overview

GIB = 1 << 30
# 32.8 B values: 64 layers with 8 heads of 128 for keys and as many for values.
WISH = {"model": "qwen3-32b", "quant": "Q8_0", "context": 16384}


def _host(ram_gib, vram_gib=()):
    return {
        "gpus": [
            {
                "name": f"card of {size} GiB",
                "vendor": "nvidia",
                "memory_free_bytes": size * GIB,
                "compute_capability": "8.9",
                "bandwidth_bytes_per_second": 9e11,
            }
            for size in vram_gib
        ],
        "memory": {"total_bytes": ram_gib * GIB},
        "driver": {"version": "610.43.02"},
    }


@pytest.fixture(scope="module")
def unfit():
    """32.4 GiB of weights on 12 GiB of GPU memory and 16 GiB of RAM, of which 14 may be taken."""
    return answers.model_fit(host=_host(16, [12]), **WISH)


def test_a_plan_that_fits_is_without_advice():
    plan = answers.model_fit(host=_host(64, [12]), **WISH)
    assert plan["fits"]
    assert (plan["alternatives"], plan["upgrades"], plan["hosted"]) == ([], [], [])


def test_the_ram_that_is_proposed_is_enough_and_the_size_below_is_not(unfit):
    assert unfit["placement"] == "disk"
    upgrade = next(one for one in unfit["upgrades"] if "RAM" in one["change"])
    assert upgrade["helps"]
    step = int(re.fullmatch(r"\+(\d+) GiB RAM", upgrade["change"])[1])
    after = answers.model_fit(host=_host(16 + step, [12]), **WISH, advice="never")
    assert after["fits"]
    assert "tokens/s" in upgrade["gives"]
    # 32.4 GiB of weights have 11 GiB on the GPU and 14 in RAM: 8 more would not hold them, let alone the cache.
    assert step == 16
    assert not answers.model_fit(host=_host(16 + step // 2, [12]), **WISH, advice="never")["fits"]


def test_the_gpus_that_are_proposed_are_enough_and_one_less_is_not(unfit):
    proposed = [one for one in unfit["upgrades"] if "card of 12 GiB" in one["change"]]
    assert proposed
    for one in proposed:
        more = int(re.match(r"\+(\d+) x ", one["change"])[1])
        after = answers.model_fit(host=_host(16, [12] * (1 + more)), **WISH, advice="never")
        assert after["fits"] == one["helps"]
        assert ("runs on GPUs with" in one["gives"]) == (after["placement"] == "gpu")
    whole = next(one for one in proposed if "runs on GPUs with" in one["gives"])
    more = int(re.match(r"\+(\d+) x ", whole["change"])[1])
    less = answers.model_fit(host=_host(16, [12] * more), **WISH, advice="never")
    assert less["placement"] != "gpu"


def test_what_would_not_help_is_said(unfit):
    drive = next(one for one in unfit["upgrades"] if "GB/s" in one["change"])
    assert not drive["helps"]
    assert "still runs from disk" in drive["gives"]
    plan = answers.model_fit(host=_host(256, [12]), **WISH, allow={"host": False})
    ram = next(one for one in plan["upgrades"] if "RAM" in one["change"])
    assert (ram["helps"], ram["gives"]) == (False, "nothing: the host's memory is not allowed")


def test_every_alternative_runs_from_memory(unfit):
    assert all(one["placement"] in ("gpu", "gpu+host", "host") and one["why"] for one in unfit["alternatives"])
    smaller = next(one for one in unfit["alternatives"] if one["model"] == "qwen3-32b" and not one["server"])
    assert smaller["bytes"] < unfit["model"]["bytes"]
    again = answers.model_fit(host=_host(16, [12]), **(WISH | {"quant": smaller["quant"]}), advice="never")
    assert again["fits"]


def test_other_models_can_do_what_the_model_can(unfit):
    able = overview.models()["qwen3-32b"].capabilities
    others = [one for one in unfit["alternatives"] if one["model"] != "qwen3-32b"]
    assert others
    assert all(able <= overview.models()[one["model"]].capabilities for one in others)


def test_a_rented_server_runs_it_as_it_was_asked_for(unfit):
    rented = [one for one in unfit["alternatives"] if one["server"]]
    assert rented
    for one in rented:
        assert (one["model"], one["quant"], one["context"]) == ("qwen3-32b", "Q8_0", 16384)
        plan = answers.model_fit(host=hosts.server(one["server"]), **WISH, advice="never")
        assert plan["fits"]
        assert access.server(one["server"])["name"] in one["why"]


def test_a_smaller_cache_is_proposed_where_that_is_what_is_missing():
    """8 B values in Q8_0 take 7.4 GiB on a GPU, and 65,536 tokens 8 GiB in f16, 4.25 in q8_0 (17 of 32 bytes)."""
    wish = {"model": "llama-3.1-8b-instruct", "quant": "Q8_0", "context": {"wanted": 65536, "minimum": 65536}}
    plan = answers.model_fit(host=_host(64, [14]), **wish, advice="always")
    assert plan["placement"] == "gpu+host"
    other = next(one for one in plan["alternatives"] if one["cache_type"] == "q8_0")
    assert (other["placement"], other["context"]) == ("gpu", 65536)
    again = answers.model_fit(host=_host(64, [14]), **wish, allow={"cache_types": ["q8_0"]}, advice="never")
    assert again["placement"] == "gpu"


def test_who_serves_it_is_told_by_name_and_link_and_day(unfit):
    known = overview.hosted()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", known["seen"])
    assert all(api["url"].startswith("https://") for api in known["apis"])
    vendors = {row.vendor for row in overview.models().values()}
    assert all(set(api["vendors"]) <= vendors for api in known["apis"])
    assert unfit["hosted"][0]["name"] == "Alibaba Cloud Model Studio"
    assert all(one["seen"] == known["seen"] for one in unfit["hosted"])
    assert "DeepSeek Platform" not in [one["name"] for one in unfit["hosted"]]


def test_advice_costs_nothing_where_it_is_not_wanted_and_changes_no_plan(unfit):
    without = answers.model_fit(host=_host(16, [12]), **WISH, advice="never")
    assert (without["alternatives"], without["upgrades"], without["hosted"]) == ([], [], [])
    same = copy.deepcopy(unfit) | {"alternatives": [], "upgrades": [], "hosted": []}
    assert without == same
    fleet = answers.fleet_fit({"a": _host(16, [12])}, [{"name": "chat", **WISH}])
    assert fleet["plans"][0]["upgrades"] == []


def test_the_same_question_has_the_same_advice(unfit):
    assert answers.model_fit(host=_host(16, [12]), **WISH) == unfit


def test_what_is_installed_is_advised_as_if_it_were_not():
    host, wish = _host(16, [12]), WISH | {"name": "chat"}
    host["gpus"][0]["uuid"] = "GPU-a"
    plan = answers.model_fit(host=host, **wish)
    assert any("card of 12 GiB" in one["change"] and one["helps"] for one in plan["upgrades"])
    installed = {
        "name": "chat",
        "plan_id": plan["plan_id"],
        "request_id": plan["request_id"],
        "launch": plan["launch"],
        "gpu_memory_bytes": [{"uuid": "GPU-a", "bytes": 0}],
    }
    again = answers.model_fit(host=host | {"instances": [installed]}, **wish)
    assert (again["plan_id"], again["upgrades"]) == (plan["plan_id"], plan["upgrades"])
