# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's door: arguments in, what it documents out, one sentence when it fails."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.prositronic.infra.plugins.modules import gguf_info
from ansible_collections.prositronic.infra.tests.unit import gguf_files as files


@pytest.fixture
def run(capsys):
    """Run the module with arguments, return its exit code and result."""

    def _run(**args):
        with patch_module_args(args), pytest.raises(SystemExit) as ended:
            gguf_info.main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return _run


@pytest.fixture
def model(tmp_path):
    return files.write(
        tmp_path / "m.gguf",
        {"general.architecture": "llama", "general.name": "Tiny", "general.file_type": 7, "a.nan": float("nan")},
        [("Q8_0", (64, 3), "token_embd.weight")],
    )


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_model_is_described_and_nothing_changes(run, model, check_mode):
    before = model.read_bytes()
    code, result = run(path=str(model), _ansible_check_mode=check_mode)
    result.pop("invocation", None)
    assert code == 0
    assert result == {
        "changed": False,
        "architecture": "llama",
        "name": "Tiny",
        "parameters": 192,
        "quant": "Q8_0",
        "tensor_bytes": 6 * 34,
        "file_bytes": len(before),
        "gguf": {
            "schema": 1,
            "files": [{"path": str(model), "size_bytes": len(before)}],
            "version": 3,
            "alignment": 32,
            "metadata": {
                "general.architecture": "llama",
                "general.name": "Tiny",
                "general.file_type": 7,
                "a.nan": None,
            },
            "tensors": "Q8_0 64x3 token_embd.weight\n",
        },
    }
    assert model.read_bytes() == before


def test_a_failure_is_one_sentence(run, tmp_path):
    code, result = run(path=str(tmp_path / "absent.gguf"))
    assert code == 1
    assert result["msg"] == f"{tmp_path}/absent.gguf cannot be read: No such file or directory."


def test_the_path_is_required(run):
    code, result = run()
    assert (code, result["msg"]) == (1, "missing required arguments: path")


def test_home_is_expanded(run, model, monkeypatch):
    monkeypatch.setenv("HOME", str(model.parent))
    code, result = run(path="~/m.gguf")
    assert (code, result["gguf"]["files"][0]["path"]) == (0, str(model))


def test_every_result_is_documented_and_every_documented_result_is_there(run, model):
    _code, result = run(path=str(model))
    documented = yaml.safe_load(gguf_info.RETURN)
    assert set(result) - {"changed", "invocation"} == set(documented)
    assert set(result["gguf"]) == set(documented["gguf"]["contains"])
    assert set(result["gguf"]["files"][0]) == set(documented["gguf"]["contains"]["files"]["contains"])


def test_a_dollar_is_part_of_a_name_and_a_tilde_is_home(run, model, monkeypatch):
    monkeypatch.setenv("HOME", str(model.parent))
    named = model.rename(model.with_name("$HOME ${PATH}.gguf"))
    assert run(path=str(named))[1]["gguf"]["files"][0]["path"] == str(named)
    assert run(path="~/$HOME ${PATH}.gguf")[0] == 0
