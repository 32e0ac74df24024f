# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter model_source, as a play calls it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog.repositories import require_repository
from ansible_collections.prositronic.infra.tests import golden
from ansible_collections.prositronic.infra.tests.unit.templar import render


def source(plan):
    return render("plan | prositronic.infra.model_source", plan=plan)


def test_a_repository_that_was_seen_with_the_quant_is_named():
    found = source(golden.plan("two-l4-qwen3-30b"))["hub"]
    seen = {(row["repository"], row["quant"]) for row in access.published_files("qwen3-30b-a3b")}
    assert (found["repository"], found["quant"]) in seen
    assert found == {"repository": "Qwen/Qwen3-30B-A3B-GGUF", "quant": "Q4_K_M"}


@pytest.mark.parametrize(
    ("model", "repository"),
    [
        # Beside them the catalog has sizes of merges, of what was trained on, and of other variants
        ("qwen3-4b", "unsloth/Qwen3-4B-GGUF"),
        ("ernie-4.5-21b-a3b", "unsloth/ERNIE-4.5-21B-A3B-PT-GGUF"),
        # Publishers write it differently
        ("llama-3.1-70b-instruct", "bartowski/Meta-Llama-3.1-70B-Instruct-GGUF"),
        ("nemotron-3-nano-30b-a3b", "unsloth/Nemotron-3-Nano-30B-A3B-GGUF"),
    ],
)
def test_it_is_of_this_model_and_of_no_merge(model, repository):
    assert require_repository(model, "Q4_K_M") == (repository, True)


def test_what_is_named_otherwise_is_not_taken():
    with pytest.raises(ValueError, match="no GGUF repository of it is known"):
        require_repository("deepseek-v4-flash", "Q4_K_M")


def test_a_file_is_its_own_source():
    plan = golden.plan("two-l4-qwen3-30b")
    plan["model"]["files"] = [{"path": "/srv/m-00001-of-00002.gguf", "size_bytes": 1}]
    assert source(plan) == {"path": "/srv/m-00001-of-00002.gguf"}


def test_a_quant_that_nobody_publishes_is_not_guessed():
    plan = golden.plan("two-l4-qwen3-30b")
    plan["quant"]["name"] = "Q4_1"
    with pytest.raises(
        AnsibleError, match=r"nobody is known to publish qwen3-30b-a3b in Q4_1: say where it comes from"
    ):
        source(plan)


def test_what_is_no_plan_is_refused():
    with pytest.raises(AnsibleError, match="plan"):
        source({"fits": True})
