# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which quant and which model: the order of preference, and that few searches give the answer of all."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access, overview
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.request import FitRequest
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import source
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner import preference
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.backend import backend
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.candidate import candidate
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.costs import Costs
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.machine import machine
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.merit import merit
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.quants import divergence, worth_trying
from ansible_collections.prositronic.infra.tools.catalog import overview as overview_files

GIB = 1 << 30
SMALL = ["qwen3-0.6b", "llama-3.2-1b-instruct"]


def _host(vram_gib, ram_gib=64):
    return {
        "gpus": [
            {
                "vendor": "nvidia",
                "memory_free_bytes": int(size * GIB),
                "compute_capability": "8.9",
                "bandwidth_bytes_per_second": 1e12,
            }
            for size in vram_gib
        ],
        "memory": {"total_bytes": ram_gib * GIB},
        "driver": {"version": "610.43.02"},
    }


@pytest.mark.parametrize("kind", ["models", "quants"])
def test_the_overview_is_up_to_date(kind):
    """A stale file is written anew by `python3 tools/catalog names`."""
    assert (overview.FOLDER / f"{kind}.csv").read_text(encoding="utf-8") == overview_files.text(kind)


def test_dates_are_of_models_that_there_are():
    assert set(overview.released()) <= set(overview.models())
    assert all(2022 < year < 2030 for year in overview.released().values())


def test_a_quant_is_worth_trying_if_none_is_smaller_and_better():
    names = worth_trying("llama")
    rows = overview.quants()
    assert names[0] == "Q8_0"
    assert {"Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "IQ2_M"} <= set(names)
    # llama.cpp's scoreboard: divergence 0.0717 at 20 bytes for 32 values, where Q4_K_M has 0.0313 in fewer.
    assert not {"Q4_0", "Q4_1", "F16", "BF16"} & set(names)
    sizes = [rows[name].bits for name in names]
    losses = [rows[name].kld for name in names]
    assert sizes == sorted(sizes, reverse=True)
    assert losses == sorted(losses)


def test_gpt_oss_keeps_the_type_it_was_trained_in():
    assert worth_trying("gpt-oss") == ["MXFP4_MOE"]
    assert divergence(overview.quants()["MXFP4_MOE"], "gpt-oss") == 0
    plan = answers.model_fit(host=_host([24]), model="gpt-oss-20b", quant="auto", context=8192, advice="never")
    assert plan["quant"]["name"] == "MXFP4_MOE"


@pytest.mark.parametrize(
    ("asked", "given", "number"),
    [(32768, 32768, 0), (32768, 40960, 0), (32768, 32512, 1), (32768, 16384, 1), (32768, 12288, 2), (10, 9.9, 1)],
)
def test_halvings(asked, given, number):
    assert preference.halvings(asked, given) == number


def test_merit_is_the_geometric_mean_and_half_a_year_is_a_doubling():
    dense = merit("nobody-knows", 8 << 30, 8 << 30)
    assert merit("nobody-knows", 16 << 30, 4 << 30) == dense
    assert merit("nobody-knows", 16 << 30, 16 << 30) == dense + 1
    # Both of 30.5 B and 3 B: April and July 2025.
    newer, older = (merit(name, 30 * 10**9, 3 * 10**9) for name in ("qwen3-30b-a3b-instruct-2507", "qwen3-30b-a3b"))
    assert newer - older == pytest.approx(0.5)


def test_the_quant_is_the_best_that_fits_with_the_context_asked_for():
    """8 B values: 7.95 GiB in Q8_0 and 6.14 in Q6_K, of which the embedding stays in RAM, and 4 GiB of cache for 32,768."""
    plan = answers.model_fit(
        host=_host([12.5]), model="llama-3.1-8b-instruct", quant="auto", context=32768, advice="never"
    )
    assert (plan["quant"]["name"], plan["placement"], plan["memory"]["n_ctx_seq"]) == ("Q6_K", "gpu", 32768)
    assert plan["quant"]["kld"] == 0.005452
    assert "Q8_0 has the better quality" in plan["why"]
    assert all(other["model"] == "llama-3.1-8b-instruct" and other["why"] for other in plan["alternatives"])


def test_quality_first_takes_the_better_quant_from_ram_unless_a_speed_is_asked_for():
    wish = {
        "model": "llama-3.1-8b-instruct",
        "quant": "auto",
        "context": 32768,
        "objective": "quality",
        "advice": "never",
    }
    slow = answers.model_fit(host=_host([9]), **wish)
    assert (slow["quant"]["name"], slow["placement"]) == ("Q8_0", "gpu+host")
    # 1 TB/s reads less than 4 GiB in 4.3 ms: no quant gives 1,000 tokens/s, several give more than RAM does.
    rate = slow["speed"]["decode_tokens_per_second"]["expected"]
    fast = answers.model_fit(host=_host([9]), speed=rate * 1.5, **wish)
    assert fast["speed"]["decode_tokens_per_second"]["expected"] > rate * 1.5
    assert preference.halvings(32768, fast["memory"]["n_ctx_seq"]) == 0
    never = answers.model_fit(host=_host([9]), speed=100_000, **wish)
    assert any("100,000 were asked for" in warning for warning in never["warnings"])


@pytest.mark.parametrize(("vram", "objective"), [([], "speed"), ([1.75], "speed"), ([1.75], "quality")])
def test_few_searches_find_what_all_of_them_would(vram, objective):
    host = _host(vram, ram_gib=8)
    wish = {"context": {"minimum": 2048}, "objective": objective, "speed": 80, "advice": "never"}
    best = answers.model_fit(host=host, model=SMALL, quant="auto", **wish)
    request = FitRequest.read({"model": SMALL, **wish}, "wish")
    everything = []
    for model in SMALL:
        for quant in worth_trying("llama"):
            everything.append((_standing(host, request, model, quant), model, quant))
    assert (best["model"]["id"], best["quant"]["name"]) == min(everything)[1:]


def _standing(host, request, model, quant):
    data = access.engine()
    place = machine(InferenceHost.read(host, "host"), request.reserve)
    engine, _warnings = backend(place, data)
    one = candidate(place, Costs(source.model(model, quant), data), request, engine, insist=True)
    return preference.standing(one, request)


def test_a_capability_stands_for_every_model_that_has_it():
    wish = {"quant": ["Q8_0", "Q4_K_M"], "context": 8192, "advice": "never"}
    plan = answers.model_fit(host=_host([6]), model={"capabilities": ["vision", "tool-calls"]}, **wish)
    told = [plan["model"]["id"], *(other["model"] for other in plan["alternatives"])]
    assert len(told) == len(set(told)) > 1, "each model once"
    assert all({"vision", "tool-calls"} <= overview.models()[name].capabilities for name in told)
    assert plan["placement"] == "gpu"
    assert plan["quant"]["name"] in wish["quant"]


def test_a_list_is_ranked_and_told_in_full():
    plan = answers.model_fit(
        host=_host([8]), model=["qwen3-0.6b", "llama-3.1-8b-instruct", "qwen3-4b"], quant="Q4_K_M", context=8192
    )
    # Of April 2025 and 4 B, of July 2024 and 8 B: three halvings of half a year weigh more than one of size.
    assert plan["model"]["id"] == "qwen3-4b"
    assert {other["model"] for other in plan["alternatives"]} == {"qwen3-0.6b", "llama-3.1-8b-instruct"}


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        ({"model": {"capabilities": ["cooking"]}}, "capabilities"),
        ({"model": {"capabilities": []}}, "capabilities"),
        ({"model": ["qwen3-4b", "qwen3-4bb"], "quant": "Q8_0"}, "qwen3-4b"),
        ({"model": "qwen3-4b", "quant": ["Q8_0", "Q9_0"]}, "did you mean"),
        ({"model": "qwen3-4b", "quant": "Q8_0", "speed": 0}, "speed"),
        ({"model": "qwen3-4b", "quant": "Q8_0", "speed": {"maximum": 3}}, "did you mean 'minimum'"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(wish, text):
    with pytest.raises(ValueError, match=text):
        answers.model_fit(host=_host([8]), **wish)
