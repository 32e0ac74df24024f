# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's door, as several runs that share a shelf go through it."""

from __future__ import annotations

import contextlib
import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.prositronic.infra.plugins.modules import gguf_fetch
from ansible_collections.prositronic.infra.tests.unit import gguf_files as files


@pytest.fixture
def run(tmp_path, capsys):
    """Run the module with arguments, return its exit code and result."""

    def _run(**args):
        given = {"name": "small", "directory": str(tmp_path / "models"), "path_method": "copy", "runner": "process"}
        given |= {"reserve_bytes": 0, "wait": 30, "state_folder": str(tmp_path / "state")}
        with patch_module_args(given | args), pytest.raises(SystemExit) as ended:
            gguf_fetch.main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return _run


@pytest.fixture
def model(tmp_path):
    return files.write(tmp_path / "m.gguf", {"general.architecture": "llama"}, [("Q8_0", (64, 3), "token_embd.weight")])


def test_what_another_run_has_accepted_meanwhile_counts(run, model, monkeypatch):
    """Both saw it arrive, and the other one had the lock first."""
    alone = gguf_fetch.shelf.Shelf.alone
    accepted = []

    @contextlib.contextmanager
    def late(place):
        if place.status()["phase"] == "arrived":
            status = place.status()
            accepted.append(status["files"])
            place.accept({"files": status["files"], "commit": status["commit"]})
        with alone(place):
            yield

    monkeypatch.setattr(gguf_fetch.shelf.Shelf, "alone", late)
    code, result = run(path=str(model))
    assert (code, len(accepted)) == (0, 1), result
    assert result["path"].endswith("/m.gguf")
    assert result["files"] == accepted[0]
    assert run(path=str(model))[1]["changed"] is False


def test_what_is_no_model_is_told_in_one_sentence(run, tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"<html>no model</html>")
    code, result = run(path=str(tmp_path / "m.gguf"))
    assert code == 1
    assert result["msg"].startswith("small: what has arrived is no model that llama.cpp could load: ")
    assert result["msg"].endswith(".")
    assert not result["msg"].endswith("..")
