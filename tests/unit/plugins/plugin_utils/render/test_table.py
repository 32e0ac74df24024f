# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.prositronic.infra.plugins.plugin_utils import answers

GIB = 1 << 30
MODELS = [{"name": "chat", "model": "llama-3.1-8b-instruct", "quant": "Q4_K_M", "context": 8192, "advice": "never"}]


def host(gib, *problems):
    return {"gpus": [], "memory": {"total_bytes": gib * GIB}, "problems": list(problems)}


def lines(**hosts):
    return answers.fleet_fit(hosts, MODELS)["table"]


def test_hosts_that_are_alike_share_their_lines():
    shown = lines(a=host(64), b=host(64), c=host(32))
    assert [line for line in shown if line.endswith("GiB RAM")] == [
        "a, b: no GPU, 64 GiB RAM",
        "c: no GPU, 32 GiB RAM",
    ]
    assert sum("llama-3.1-8b-instruct" in line for line in shown) == 2


def test_a_model_that_does_not_run_from_memory_is_marked():
    assert [line[0] for line in lines(a=host(64), b=host(2)) if "Q4_K_M" in line] == [" ", "!"]


def test_problems_and_hosts_that_did_not_answer_stand_at_the_end():
    shown = lines(a=host(64, "no driver"), b=host(64, "no driver", "no room"), down={})
    assert shown[-4:] == [
        "",
        "a, b: no driver",
        "b: no room",
        "down: nothing is known: it did not answer, or gpu_facts did not run on it",
    ]


def test_without_problems_the_last_line_is_a_models():
    assert "Q4_K_M" in lines(a=host(64))[-1]
