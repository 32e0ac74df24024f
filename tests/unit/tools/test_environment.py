# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `./check` and `./demo` say when the machine lacks something."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.prositronic.infra.tools import environment
from ansible_collections.prositronic.infra.tools.environment import EnvironmentProblem, Python

PYTHON = Python((3, 12, 1), Path("/usr/bin/python3.12"), True)


def test_without_the_venv_module_the_package_to_install_is_named(tmp_path):
    python = Python((3, 12, 1), Path("/usr/bin/python3.12"), False)
    with pytest.raises(EnvironmentProblem, match=r"install the package python3\.12-venv"):
        environment.make_environment(tmp_path / "new", python, [])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "check the network"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: No matching distribution found for ansible-core", "the command ended with 1"),
    ],
)
def test_a_failing_command_gives_its_reason_and_its_last_lines(printed, reason):
    command = [sys.executable, "-c", f"print({printed!r}); raise SystemExit(1)"]
    with pytest.raises(EnvironmentProblem) as problem:
        environment.run_quietly(command, "installing ansible-core")
    assert str(problem.value).startswith("Failed installing ansible-core: ")
    assert reason in str(problem.value)
    assert printed in str(problem.value)


def test_an_environment_is_made_anew_when_a_requirements_file_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    (tmp_path / "requirements.txt").write_text("pydantic >= 2.8", encoding="utf-8")
    before = environment.fingerprint(PYTHON, ["requirements.txt"])
    (tmp_path / "requirements.txt").write_text("pydantic >= 2.9", encoding="utf-8")
    assert environment.fingerprint(PYTHON, ["requirements.txt"]) != before


def test_an_environment_is_made_anew_for_another_python():
    other = Python((3, 12, 2), PYTHON.path, True)
    assert environment.fingerprint(PYTHON, []) != environment.fingerprint(other, [])


def test_only_environments_unused_for_two_weeks_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = environment.cache_directory() / "environments"
    stamps = {name: place / name / "made-from.sha256" for name in ("tests-old", "tests-recent", "tools-old")}
    for name, stamp in stamps.items():
        stamp.parent.mkdir(parents=True)
        stamp.touch()
        days = 1 if name == "tests-recent" else 15
        os.utime(stamp, (time.time() - days * 86400,) * 2)
    wanted = place / f"tests-{environment.fingerprint(PYTHON, [])[:12]}" / "made-from.sha256"
    wanted.parent.mkdir()
    wanted.write_text(environment.fingerprint(PYTHON, []), encoding="utf-8")
    environment.cached_environment("tests", PYTHON, [])
    assert {name for name, stamp in stamps.items() if stamp.exists()} == {"tests-recent", "tools-old"}
