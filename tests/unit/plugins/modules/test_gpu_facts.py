# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's door: arguments in, the contract out, on this machine as it is."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.prositronic.infra.plugins.modules import gpu_facts
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost


@pytest.fixture
def run(capsys, tmp_path):
    def _run(**args):
        args = {"paths": [str(tmp_path)], "state_folder": str(tmp_path / "state"), **args}
        with patch_module_args(args), pytest.raises(SystemExit) as ended:
            gpu_facts.main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return _run


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_facts_follow_the_contract(run, check_mode):
    code, result = run(_ansible_check_mode=check_mode)
    assert (code, result["changed"]) == (0, False)
    host = result["ansible_facts"]["inference_host"]
    InferenceHost.read(host, "inference_host")
    assert set(host) == set(InferenceHost.model_fields)
    assert host["memory"]["total_bytes"] >= host["memory"]["available_bytes"] > 0
    assert host["storage"][0]["free_bytes"] > 0


def test_problems_are_warnings(run, tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr(gpu_facts.AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "measured.json").write_text("{")
    code, result = run()
    assert code == 0
    problems = result["ansible_facts"]["inference_host"]["problems"]
    assert any("measured.json" in problem for problem in problems)
    assert warnings == problems


def test_the_documentation_names_every_option_and_key(run):
    documented = yaml.safe_load(gpu_facts.DOCUMENTATION)["options"]
    assert set(documented) == {"paths", "measure", "measure_seconds", "timeout", "state_folder"}
    returned = yaml.safe_load(gpu_facts.RETURN)["ansible_facts"]["contains"]["inference_host"]["contains"]
    assert set(returned) == set(InferenceHost.model_fields)
