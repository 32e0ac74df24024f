# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines and models that the project started from: what was published about them, against what holds.

The published figures and their corrections are in the docstrings; the expected values are arithmetic on the model's
published shape or sizes of files that llama-quantize makes.
"""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import hosts

GIB = 1 << 30
BLOCKS = 61
# Multi-head latent attention keeps 512 + 64 values per token and layer, here of two bytes.
KV_BYTES_PER_TOKEN = (512 + 64) * 2 * BLOCKS


def _plan(host, quant, **wish):
    return answers.model_fit(host=host, model="deepseek-v3.1", quant=quant, **wish)


@pytest.fixture(scope="module")
def gex131():
    return hosts.server("hetzner-gex131")


@pytest.fixture(scope="module")
def ovh():
    return hosts.server("ovh-ai1-1-gpu")


@pytest.fixture(scope="module")
def l4():
    return {"gpus": [hosts.gpu("L4")], "memory": {"total_bytes": 512 * GIB}}


@pytest.mark.parametrize(("quant", "gib"), [("Q4_K_M", 376.71), ("Q3_K_M", 297.34), ("Q4_0", 352.10)])
def test_the_sizes_are_those_of_the_recipe(quant, gib):
    """Published as 377.56, 298.46 and 354 "GB", which are GiB of one publisher's own mixes."""
    plan = _plan({"gpus": [], "memory": {"total_bytes": 1024 * GIB}}, quant, context=4096)
    assert plan["model"]["bytes"] / GIB == pytest.approx(gib, abs=0.005)


def test_the_cache_is_that_of_latent_attention(l4):
    """Published as 54.7 GB used at 32,768 tokens, 25 times too much; it is 2.14 GiB of cache."""
    plan = _plan(l4, "Q4_K_M", context=32768)
    assert sum(device["kv_bytes"] for device in plan["memory"]["devices"]) == KV_BYTES_PER_TOKEN * 32768
    assert plan["memory"]["host"]["kv_bytes"] == 0


def test_an_l4_holds_the_attention_of_all_layers_with_the_experts_in_ram(l4):
    """Published as "0 / 61 layers", inference on the CPU."""
    plan = _plan(l4, "Q4_K_M", context=32768)
    assert plan["placement"] == "gpu+host"
    assert plan["launch"]["n_gpu_layers"] == BLOCKS + 1
    assert plan["requirements"]["minimum_ram_bytes"] > plan["memory"]["host"]["total_bytes"] > 350 * GIB


def test_a_v100s_with_40_gib_reads_from_disk_with_the_build_that_it_can_run(ovh):
    """Published with the backend cuda13, which dropped compute capability 7.0."""
    plan = _plan(ovh, "Q4_0", context=32768)
    assert plan["placement"] == "disk"
    assert not plan["fits"]
    assert plan["engine"]["backend"] == "cuda12"
    assert "disk" in plan["limit"]


def test_q3_runs_from_96_and_256_gib_with_a_long_context(gex131):
    """Published as "all 61 layers fit in the 96 GB" at 54,523 tokens; attention does, most experts stay in RAM."""
    plan = _plan(gex131, "Q3_K_M")
    assert (plan["fits"], plan["placement"]) == (True, "gpu+host")
    assert plan["memory"]["n_ctx_seq"] > 100_000
    assert 0 < plan["launch"]["n_cpu_moe"] < BLOCKS


def test_q4_does_not_run_there_without_the_disk(gex131):
    plan = _plan(gex131, "Q4_K_M")
    assert (plan["fits"], plan["placement"]) == (False, "disk")
    without = _plan(gex131, "Q4_K_M", allow={"disk": False})
    assert (without["placement"], without["launch"], without["memory"]) == ("none", None, None)
    assert "376.7 GiB of weights" in without["limit"]


def test_eight_h100_hold_it_all():
    host = {"gpus": [hosts.gpu("H100-SXM-80GB", i) for i in range(8)], "memory": {"total_bytes": 2048 * GIB}}
    plan = _plan(host, "Q4_K_M", context=131072)
    assert plan["placement"] == "gpu"
    assert plan["memory"]["n_ctx_seq"] == 131072
    assert sum(device["kv_bytes"] for device in plan["memory"]["devices"]) == KV_BYTES_PER_TOKEN * 131072
