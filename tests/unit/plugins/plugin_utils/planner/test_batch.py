# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The batch of a prompt: raised where prompts shall be read faster, and paid for with experts on GPUs."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import hosts

GIB = 1 << 30
WISH = {"model": "qwen3-30b-a3b", "quant": "Q8_0", "context": 16384, "parallel": 1}


def _plan(**speed):
    host = {"gpus": [hosts.gpu("RTX-4090")], "memory": {"total_bytes": 64 * GIB}}
    return answers.model_fit(host, **WISH, speed=speed)


def _prefill(plan):
    return plan["speed"]["prefill_tokens_per_second"]["expected"]


@pytest.fixture(scope="module")
def plain():
    return _plan()


def test_without_a_wish_it_is_llama_cpp_s_own(plain):
    assert plain["placement"] == "gpu+host"
    assert "ubatch_size" not in plain["launch"]


def test_it_is_raised_as_far_as_needed(plain):
    plan = _plan(prefill=1.5 * _prefill(plain))
    assert plan["launch"]["ubatch_size"] == 1024
    assert _prefill(plan) >= 1.5 * _prefill(plain)
    assert plan["memory"]["devices"][0]["compute_bytes"] > plain["memory"]["devices"][0]["compute_bytes"]
    assert plan["memory"]["host"]["weights_bytes"] >= plain["memory"]["host"]["weights_bytes"]
    assert (plan["placement"], plan["memory"]["n_ctx_seq"]) == (plain["placement"], plain["memory"]["n_ctx_seq"])


def test_what_cannot_be_had_is_said(plain):
    plan = _plan(prefill=1e6)
    assert plan["launch"]["ubatch_size"] == 2048
    assert any("prompts are read with" in text for text in plan["warnings"])
