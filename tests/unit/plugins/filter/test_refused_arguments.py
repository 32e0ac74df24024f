# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments of the wrong kind are refused in one sentence with the door's and the argument's name, at every door alike."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call
from ansible_collections.prositronic.infra.plugins.plugin_utils.answers import model_fit, report_site
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError
from ansible_collections.prositronic.infra.tests.unit.templar import render

HOST = {"gpus": [{"memory_free_bytes": 8 << 30}], "memory": {"total_bytes": 32 << 30}}


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("'qwen3-8b' | prositronic.infra.memory_estimate(lunch={})", "memory_estimate: arguments: unknown key 'lunch'"),
        ("'qwen3-8b' | prositronic.infra.memory_estimate(gpus=5)", "memory_estimate: arguments.gpus: input should be"),
        ("{} | prositronic.infra.llama_server_args(engine={'a': 's3cret'})", "llama_server_args: arguments.engine: "),
        ("{} | prositronic.infra.llama_server_service", "llama_server_service: arguments: 'host' is missing"),
        ("{} | prositronic.infra.helmfile_values(options=true)", "helmfile_values: arguments.options: input should be"),
        (
            "[] | prositronic.infra.benchmark_report(earlier=none)",
            "benchmark_report: arguments.earlier: input should be",
        ),
        ("{} | prositronic.infra.from_hf_config(nam='s3cret')", "from_hf_config: arguments: unknown key 'nam'"),
        ("{} | prositronic.infra.model_source(quant='s3cret')", "model_source: arguments: unknown key 'quant'"),
        (
            "host | prositronic.infra.model_fit('qwen3-8b', context=10**400)",
            "model_fit: context: a whole number of more",
        ),
        ("host | prositronic.infra.model_fit('qwen3-8b', quant='Q8_0', speed=infinite)", "arguments.speed.minimum: "),
        ("{'plan_id': 1, 'engine': 5} | prositronic.infra.llama_server_args", "llama_server_args: plan.engine: give a mapping"),
    ],
)
def test_the_sentence_names_door_and_argument(expression, told):
    with pytest.raises(AnsibleError) as refused:
        render(expression, host=HOST, infinite=float("inf"))
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_value_without_end_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(AnsibleFilterError, match="model_fit: model: lists and mappings lie in each other too deeply"):
        call(model_fit, {"host": HOST, "model": endless}, "model_fit", AnsibleFilterError)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(
        ContractError, match=r"dest: .*/file/assets cannot be written \(Not a directory\); give a folder"
    ):
        report_site(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"
