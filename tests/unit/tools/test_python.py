# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Python `./check` and `./demo` start with, of those on PATH and among pyenv's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.prositronic.infra.tools import environment

FINDER = Path(environment.__file__).parent / "python"


@pytest.fixture
def machine(tmp_path):
    """A machine with the interpreters given as {path: (version, 'venv' or 'no-venv')}; runs the finder on it."""

    def run(interpreters, *arguments):
        for name, (version, can) in interpreters.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # Asked with -c what it is, it answers; otherwise it says that it was started.
            answer = f"echo {version} {path} {can}" if version else "exit 127"
            path.write_text(
                f'#!/bin/sh\n[ "$1" = -c ] && {answer} && exit\necho started {version}: "$@"\n', encoding="utf-8"
            )
            path.chmod(0o755)
        tools = [str(Path(path).resolve()) for path in ("/usr/bin", "/bin")]
        path = os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "shims")])
        # The finder needs the system's sort and awk, but must not find the system's Pythons.
        programs = tmp_path / "programs"
        programs.mkdir()
        for program in ("awk", "grep", "readlink", "sort"):
            found = next(Path(folder) / program for folder in tools if (Path(folder) / program).exists())
            (programs / program).symlink_to(found)
        variables = {"PATH": f"{path}{os.pathsep}{programs}", "HOME": str(tmp_path / "home")}
        return subprocess.run(
            ["/bin/sh", str(FINDER), *arguments], capture_output=True, text=True, env=variables, check=False
        )

    return run


def test_the_newest_that_can_make_environments_is_started(machine):
    ran = machine(
        {
            "bin/python3": ("3.9.2", "venv"),
            "bin/python3.12": ("3.12.4", "venv"),
            "bin/python3.13": ("3.13.1", "no-venv"),
            "home/.pyenv/versions/3.11.7/bin/python3": ("3.11.7", "venv"),
        },
        "script.py",
        "two words",
    )
    assert ran.stdout == "started 3.12.4: script.py two words\n"


def test_one_too_new_for_the_libraries_is_not_started(machine):
    ran = machine({"bin/python3": ("3.19.0", "venv"), "bin/python3.11": ("3.11.2", "venv")}, "script.py")
    assert ran.stdout == "started 3.11.2: script.py\n"


def test_a_version_that_is_there_twice_is_listed_as_the_one_with_venv(machine):
    ran = machine(
        {
            "bin/python3": ("3.12.9", "no-venv"),
            "home/.pyenv/versions/3.12.1/bin/python3": ("3.12.1", "venv"),
        },
        "--list",
    )
    assert [line.split()[0::2] for line in ran.stdout.splitlines()] == [["3.12.1", "venv"]]


def test_a_shim_that_starts_nothing_is_passed_over(machine):
    ran = machine(
        {"bin/python3.13": ("", ""), "shims/python3": ("3.13.0", "venv"), "bin/python3": ("3.11.0", "venv")}, "x"
    )
    assert ran.stdout == "started 3.11.0: x\n"


@pytest.mark.parametrize(
    ("interpreters", "sentence"),
    [
        ({"bin/python3": ("3.9.2", "venv")}, "No Python 3.11 to 3.14 found"),
        ({"bin/python3": ("3.11.2", "no-venv")}, "install the package python3.11-venv"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(machine, interpreters, sentence):
    ran = machine(interpreters, "script.py")
    assert ran.returncode == 1
    assert sentence in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
