# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters as a play calls them: through Ansible's templating, with its lazy and tagged values."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleTemplateError, AnsibleUndefinedVariable
from ansible_collections.prositronic.infra.tests.unit.templar import render

HOST = {
    "gpus": [{"vendor": "nvidia", "memory_free_bytes": "{{ vram }}", "compute_capability": "8.9"}],
    "memory": {"total_bytes": "{{ ram }}"},
    "driver": {"version": "610.43.02"},
}
SIZES = {"vram": 24 << 30, "ram": 64 << 30}
MODEL = "'llama-3.1-8b-instruct', quant='Q4_K_M', context=8192"


def test_a_host_made_of_templates_is_planned_for():
    plan = render(f"host | prositronic.infra.model_fit({MODEL})", host=HOST, **SIZES)
    assert plan["placement"] == "gpu"
    assert plan["launch"]["device"] == ["CUDA0"]
    # 32 layers, 8 heads of 128 for keys and as many for values, two bytes each.
    assert plan["memory"]["devices"][0]["kv_bytes"] == 8192 * 32 * 8 * 128 * 2 * 2


def test_the_answer_is_plain_data_that_can_be_stored_and_used_again():
    plan = render(f"host | prositronic.infra.model_fit({MODEL})", host=HOST, **SIZES)
    assert render("plan | to_json | from_json == plan", plan=plan) is True
    assert render("plan is prositronic.infra.fitting", plan=plan) is True


def test_the_same_question_has_the_same_answer():
    question = f"host | prositronic.infra.model_fit({MODEL}) | to_json"
    assert render(question, host=HOST, **SIZES) == render(question, host=HOST, **SIZES)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("host | prositronic.infra.model_fit('llama-3.1-8b-instuct', quant='Q4_K_M')", "llama-3.1-8b-instruct"),
        ("host | prositronic.infra.model_fit('llama-3.1-8b-instruct')", "quant='Q4_K_M'"),
        ("host | prositronic.infra.model_fit('llama-3.1-8b-instruct', quant='Q4_K_N')", "did you mean 'Q4_K_"),
        ("host | prositronic.infra.model_fit('llama-3.1-8b-instruct', quent='Q4_K_M')", "did you mean 'quant'"),
        ("{} | prositronic.infra.model_fit('llama-3.1-8b-instruct', quant='Q4_K_M')", "gpu_facts"),
        ("[] | prositronic.infra.model_fit(7)", "gpu_facts"),
        ("{'gpus': []} | prositronic.infra.model_fit('llama-3.1-8b-instruct', quant='Q4_K_M')", "'memory' is missing"),
        ("{'launch': 1} is prositronic.infra.fitting", "plan"),
        ("'llama-3.1-8b-instruct' | prositronic.infra.memory_estimate(quant='Q4_K_M', gpus=[{}])", "memory_free_bytes"),
        (
            "'llama-3.1-8b-instruct' | prositronic.infra.memory_estimate(quant='Q4_K_M', launch={'ctx_sise': 1})",
            "did you mean 'ctx_size'",
        ),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(expression, text):
    with pytest.raises(AnsibleTemplateError) as refused:
        render(expression, host=HOST, **SIZES)
    assert text in str(refused.value)


def test_an_undefined_variable_inside_is_ansible_s_own_error():
    with pytest.raises(AnsibleUndefinedVariable, match="vram"):
        render(f"host | prositronic.infra.model_fit({MODEL})", host=HOST, ram=1 << 36)


def test_memory_estimate_says_what_a_launch_takes():
    estimate = render(
        "'llama-3.1-8b-instruct' | prositronic.infra.memory_estimate("
        "quant='Q4_K_M', launch={'ctx_size': tokens, 'parallel': 1}, gpus=gpus)",
        tokens=8192,
        gpus=[{"memory_free_bytes": "{{ 24 * 1024 ** 3 }}"}],
    )
    assert estimate["n_ctx"] == 8192
    assert estimate["devices"][0]["kv_bytes"] == 8192 * 32 * 8 * 128 * 2 * 2
    assert estimate["devices"][0]["total_bytes"] == sum(
        estimate["devices"][0][key] for key in ("weights_bytes", "kv_bytes", "compute_bytes", "overhead_bytes")
    )
