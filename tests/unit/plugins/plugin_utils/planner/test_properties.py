# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every plan, whatever the machine and the model."""

from __future__ import annotations

import functools

from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.sketch import RANK
from hypothesis import given
from hypothesis import strategies as st

GIB = 1 << 30
MODELS = [
    ("deepseek-v3.1", "Q4_K_M"),
    ("qwen3-30b-a3b", "Q4_K_M"),
    ("llama-3.1-8b-instruct", "Q8_0"),
    ("gemma-3-27b-it", "Q4_K_M"),
    ("gpt-oss-20b", "MXFP4_MOE"),
]
RESERVE = 1 << 30

machines = st.fixed_dictionaries(
    {
        "vram_gib": st.lists(st.integers(1, 180), max_size=8),
        "ram_gib": st.integers(4, 1024),
    }
)
wishes = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "context": st.sampled_from([4096, 8192, 40_000, 131_072]),
        "parallel": st.sampled_from([None, 1, 3, 8]),
        "objective": st.sampled_from(["speed", "context", "quality"]),
        "cache_types": st.sampled_from([["f16"], ["f16", "q8_0"], ["q8_0", "f16"]]),
    }
)


@functools.cache
def _plan(vram_gib, ram_gib, model, context, parallel, objective, cache_types):
    return answers.model_fit(
        host={
            "gpus": [{"vendor": "nvidia", "memory_free_bytes": size * GIB} for size in vram_gib],
            "memory": {"total_bytes": ram_gib * GIB},
        },
        model=model[0],
        quant=model[1],
        context=context,
        parallel=parallel,
        objective=objective,
        allow={"cache_types": list(cache_types)},
        advice="never",
    )


def _ask(machine, wish):
    return _plan(
        tuple(machine["vram_gib"]),
        machine["ram_gib"],
        wish["model"],
        wish["context"],
        wish["parallel"],
        wish["objective"],
        tuple(wish["cache_types"]),
    )


def _free_of_ram(machine):
    total = machine["ram_gib"] * GIB
    return total - min(4 * GIB, total // 8)


@given(machines, wishes)
def test_nothing_is_over_its_limit(machine, wish):
    plan = _ask(machine, wish)
    if plan["memory"] is None:
        assert plan["placement"] == "none"
        assert plan["launch"] is None
        return
    for device in plan["memory"]["devices"]:
        assert device["free_bytes"] <= machine["vram_gib"][device["index"]] * GIB
        buffers = device["total_bytes"] - device["overhead_bytes"]
        assert buffers + max(RESERVE, device["overhead_bytes"]) <= device["free_bytes"]
    host = plan["memory"]["host"]
    held = host["total_bytes"] - (host["weights_bytes"] if plan["placement"] == "disk" else 0)
    assert held <= _free_of_ram(machine)
    assert plan["fits"] == (plan["placement"] in ("gpu", "gpu+host", "host"))
    assert (plan["placement"] == "gpu") <= ("n_cpu_moe" not in plan["launch"])


@given(machines, wishes, st.integers(0, 7), st.integers(1, 64), st.integers(0, 256))
def test_more_memory_is_never_a_worse_plan(machine, wish, which, vram, ram):
    more = {"vram_gib": list(machine["vram_gib"]), "ram_gib": machine["ram_gib"] + ram}
    if which < len(more["vram_gib"]):
        more["vram_gib"][which] += vram
    else:
        more["vram_gib"].append(vram)
    before, after = _ask(machine, wish), _ask(more, wish)
    assert RANK[after["placement"]] <= RANK[before["placement"]] or wish["objective"] == "context"
    if wish["objective"] == "context" or after["placement"] == before["placement"] == "gpu":
        contexts = [plan["memory"]["n_ctx_seq"] if plan["fits"] else 0 for plan in (before, after)]
        assert contexts[1] >= contexts[0]


@given(machines, wishes)
def test_the_same_question_has_the_same_answer(machine, wish):
    first = _ask(machine, wish)
    _plan.cache_clear()
    assert _ask(machine, wish) == first


@given(machines, wishes)
def test_the_ladder_agrees_with_the_plan_of_each_length(machine, wish):
    plan = _ask(machine, wish)
    places = [RANK[rung["placement"]] for rung in plan["ladder"]]
    assert places == sorted(places), "a longer context never has the better placement"
    assert [rung["context"] for rung in plan["ladder"]] == sorted({rung["context"] for rung in plan["ladder"]})
