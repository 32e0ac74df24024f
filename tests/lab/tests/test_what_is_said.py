# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab says and keeps when a test fails, and when it cannot run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab import needs
from lab.errors import LabError, NotReady
from lab.image import Image
from lab.services.recipes import Package

LAB = Path(__file__).resolve().parents[1]

FAILING = """
def test_failing(lab):
    host = lab.host("web")
    host.run("logger --tag=lab-test before the failure")
    host.run("journalctl --sync")
    lab.play("- hosts: all\\n  gather_facts: false\\n  tasks:\\n    - name: Fail\\n      ansible.builtin.fail:\\n        msg: as meant\\n")
"""


def run_python(*arguments, cwd=None, **environment):
    """Run this Python with the lab importable."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(LAB.parent), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_failure_keeps_the_journal_and_the_plays_output(tmp_path):
    (tmp_path / "test_failing.py").write_text(FAILING, encoding="utf-8")
    results = tmp_path / "results"
    done = run_python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "lab.conftest", "test_failing.py"),
        cwd=tmp_path,
        PROSITRONIC_LAB_RESULTS=str(results),
    )
    assert done.returncode == 1
    kept = {file.name: file for file in results.rglob("*.txt")}
    assert sorted(kept) == ["play-01.txt", "web.console.txt", "web.journal.txt"]
    assert "before the failure" in kept["web.journal.txt"].read_text(encoding="utf-8")
    assert "as meant" in kept["play-01.txt"].read_text(encoding="utf-8")
    assert all(str(file) in done.stdout for file in kept.values())


@pytest.mark.without_lab
def test_what_is_missing_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr(needs, "PACKAGES", {"systemd-container": "no-such-program", "util-linux": "sh"})
    assert needs.missing_packages() == ["systemd-container"]
    with pytest.raises(NotReady, match=r"not installed: systemd-container \(`tests/lab/run setup` installs them\)"):
        needs.require()


@pytest.mark.without_lab
def test_the_command_says_what_it_skipped():
    script = "from lab import needs, __main__ as m; needs.FILESYSTEMS = ('nosuchfs',); raise SystemExit(m.main())"
    done = run_python("-c", script, "test", "--collect-only")
    assert done.returncode == 77
    assert done.stdout.startswith("SKIPPED: the tests on booted hosts did not run: ")
    assert "the kernel knows no nosuchfs file system" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["up", "Bad_Name"], ["up", "web=sarge"], ["down", "nosuchlab"], ["down"], ["fly"]]
)
def test_bad_arguments_are_refused_in_a_sentence(arguments):
    done = run_python("-m", "lab", *arguments)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "tests/lab/run: " in done.stderr


def test_an_image_is_known_by_what_went_into_it(monkeypatch):
    plain = Image("trixie")
    assert plain.key == Image("trixie").key
    others = [
        Image("forky"),
        Image("trixie", ("jq",)),
        Image("trixie", run=("true",)),
        Image("trixie", period=plain.period + 1),
    ]
    assert len({plain.key, *(each.key for each in others)}) == 5
    assert Image("trixie", ("jq", "less")).key == Image("trixie", ("less", "jq")).key
    before = plain.key
    monkeypatch.setattr("lab.image.BASE_PACKAGES", ("systemd",))
    assert Image("trixie").key != before


@pytest.mark.without_lab
@pytest.mark.parametrize("package", ["jq; reboot", "-o", "Jq", ""])
def test_what_is_no_package_name_is_refused(package):
    with pytest.raises(LabError, match="is not the name of a Debian package"):
        Image("trixie", (package,))


@pytest.mark.without_lab
@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        ({"name": "Tool"}, "is not the name of a package"),
        ({"name": "tool", "version": "1.0"}, "is no version with a release"),
        ({"name": "tool", "files": {"usr/bin/tool": ""}}, "is no absolute path"),
    ],
)
def test_a_bad_recipe_is_refused(recipe, problem):
    with pytest.raises(LabError, match=problem):
        Package(**recipe)
