# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured on a host goes before the rules: overhead of its GPUs, rates of the very launch."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access as catalog

GIB = 1 << 30
MIB = 1 << 20
WISH = {"model": "llama-3.1-8b-instruct", "quant": "Q8_0", "context": 32768, "parallel": 1}
HELD = 1700 * MIB


def _host(runs=(), free_gib=24.0):
    gpu = {
        "uuid": "GPU-a",
        "name": "NVIDIA GeForce RTX 4090",
        "vendor": "nvidia",
        "compute_capability": "8.9",
        "memory_free_bytes": int(free_gib * GIB),
    }
    return {"gpus": [gpu], "memory": {"total_bytes": 64 * GIB}, "measured": {"schema": 1, "runs": list(runs)}}


@pytest.fixture(scope="module")
def plan():
    return answers.model_fit(_host(), **WISH)


@pytest.fixture
def run(plan):
    """A benchmark of the plan at two depths, whose process held so much more than its buffers."""
    use = plan["memory"]["devices"][0]
    buffers = {key: use[key] for key in ("weights_bytes", "kv_bytes", "compute_bytes")}
    return {
        "measured_at": "2026-11-20T10:00:00Z",
        "source": "llama-bench",
        "engine": {"build": catalog.engine(None)["build"]},
        "model": {"parameters": plan["model"]["parameters"], "bytes": plan["model"]["bytes"]},
        "launch": copy.deepcopy(plan["launch"]),
        "devices": [{"name": "GPU0", "uuid": "GPU-a", **buffers, "held_bytes": sum(buffers.values()) + HELD}],
        "rates": [
            {"depth": 0, "decode_tokens_per_second": 77.0, "prefill_tokens_per_second": 5000.0},
            {"depth": 32768, "decode_tokens_per_second": 55.0},
        ],
    }


def test_the_measured_rate_is_the_expected_one(plan, run):
    again = answers.model_fit(_host([run]), **WISH)
    assert again["speed"]["basis"] == "measured"
    assert again["speed"]["decode_tokens_per_second"]["expected"] == 77.0
    assert again["speed"]["prefill_tokens_per_second"]["expected"] == 5000.0
    rung = next(rung for rung in again["ladder"] if rung["context"] == 32768)
    assert (rung["speed"]["basis"], rung["speed"]["decode_tokens_per_second"]["expected"]) == ("measured", 55.0)
    other = next(rung for rung in again["ladder"] if rung["context"] == 8192)
    assert other["speed"]["basis"] == "calibrated"
    assert plan["speed"]["basis"] == "calibrated"


def test_the_measured_overhead_is_planned_with(run):
    again = answers.model_fit(_host([run]), **WISH)
    device = again["memory"]["devices"][0]
    assert device["overhead_bytes"] == HELD
    outside = [line for line in again["memory"]["lines"] if line["what"] == "outside llama.cpp's buffers"]
    assert [(line["where"], line["bytes"], line["basis"]) for line in outside] == [("GPU0", HELD, "measured")]
    assert device["total_bytes"] == sum(
        line["bytes"] for line in again["memory"]["lines"] if line["where"] == "GPU0" and not line["later"]
    )
    # 1.66 GiB are more than the reserve: a GPU with just enough room under the reserve has too little now.
    tight = 1.05 + sum(device[key] for key in ("weights_bytes", "kv_bytes", "compute_bytes")) / GIB
    assert answers.model_fit(_host(free_gib=tight), **WISH)["memory"]["n_ctx_seq"] == 32768
    assert answers.model_fit(_host([run], free_gib=tight), **WISH)["memory"]["n_ctx_seq"] < 32768


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("engine", {"build": 1}),
        ("model", {"parameters": 5, "bytes": 5}),
    ],
)
def test_another_build_or_model_does_not_count(plan, run, key, value):
    again = answers.model_fit(_host([run | {key: value}]), **WISH)
    assert again == plan


def test_another_launch_tells_the_overhead_but_no_rate(run):
    run["launch"]["cache_type_k"] = run["launch"]["cache_type_v"] = "q8_0"
    again = answers.model_fit(_host([run]), **WISH)
    assert again["speed"]["basis"] == "calibrated"
    assert again["memory"]["devices"][0]["overhead_bytes"] == HELD
