# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible-test, and makes sure that what passed was a test of something.

ansible-test asks git which files there are and passes in an instant when it is told of none; and it counts a test
whose tool is missing as passed. So the files it sees are compared with those that are there, and its own report is
read for what it left out.
"""

from __future__ import annotations

import fcntl
import os
import re
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

from home import carry_pip_settings, seed_get_pip
from runner import Job, StepFailed, StepSkipped

from tools.environment import Environment, Python

# Sanity tests that must have looked at files of ours whenever sanity ran at all.
_ESSENTIAL = {"changelog", "compile", "import", "pep8", "pylint", "validate-modules", "yamllint"}

_RAN_TARGET = re.compile(r"^Running (\S+) integration test role$", re.MULTILINE)


def sanity(
    job: Job,
    environment: Environment,
    tree: Path,
    home: Path,
    variables: t.Mapping[str, str],
    python: str,
    leave_out: t.Mapping[str, str],
) -> None:
    """All sanity tests, with no ignore entries, but those that `leave_out` names with the reason."""
    ignores = sorted(path.name for path in (tree / "tests" / "sanity").glob("ignore*"))
    if ignores:
        raise StepFailed(f"tests/sanity/{ignores[0]}: the collection passes without ignore entries; remove it.")
    files = _assert_sees_files(job, environment, tree, variables)
    options = [word for name in leave_out for word in ("--skip-test", name)]
    _run_sanity(job, environment, tree, home, variables, [*options, "--python", python])
    ran, left_out = _read_reports(tree)
    left_out |= leave_out
    missing = _ESSENTIAL - ran - set(leave_out)
    if missing:
        raise StepFailed(f"ansible-test ran without {', '.join(sorted(missing))}: nothing was tested by it.")
    job.detail = f"{len(ran)} tests over {files} files"
    job.not_run += [f"{job.step.name}: {name}: {reason}" for name, reason in sorted(left_out.items())]


def target_python(
    job: Job, environment: Environment, tree: Path, home: Path, variables: t.Mapping[str, str], target: Python
) -> None:
    """What runs on target hosts compiles and imports under `target`."""
    _assert_sees_files(job, environment, tree, variables)
    path = os.pathsep.join([str(environment.bin), str(target.path.parent), variables["PATH"]])
    options = ["--test", "compile", "--test", "import", "--python", target.minor]
    _run_sanity(job, environment, tree, home, {**variables, "PATH": path}, options)
    ran, _left_out = _read_reports(tree)
    if not {"compile", "import"} <= ran:
        raise StepFailed(f"Nothing was compiled or imported under Python {target}.")
    job.detail = f"Python {target}"


def integration(
    job: Job, environment: Environment, tree: Path, variables: t.Mapping[str, str], target: Python
) -> None:
    """Every integration target that can run on this machine as it is; modules run under the Python `target`."""
    command = [environment.bin / "ansible-test", "integration", "--color", "no"]
    command += ["--controller", f"origin:python={environment.python.minor}"]
    command += ["--target", f"controller:python={target.minor}@{target.path}"]
    folder = tree / "tests" / "integration" / "targets"
    targets = {path.parent.parent.name for path in folder.glob("*/tasks/main.yml") if not _is_helper(path.parent.parent)}
    if not targets:
        raise StepSkipped("there are no targets below tests/integration/targets")
    ran = set(_RAN_TARGET.findall(job.call(*command, cwd=tree, variables=variables)))
    if not ran:
        raise StepFailed("ansible-test ran no integration target.")
    job.passed = len(ran)
    job.detail = f"modules on Python {target}: {', '.join(sorted(ran))}"
    job.not_run += [f"{job.step.name}: {name}: its aliases exclude it here" for name in sorted(targets - ran)]


def _is_helper(target: Path) -> bool:
    """Whether other targets use this one as a role; it is no test of its own."""
    aliases = target / "aliases"
    return aliases.exists() and "hidden" in aliases.read_text(encoding="utf-8").split()


def _assert_sees_files(job: Job, environment: Environment, tree: Path, variables: t.Mapping[str, str]) -> int:
    command = [environment.bin / "ansible-test", "env", "--list-files", "--color", "no"]
    seen = set(job.call(*command, cwd=tree, variables=variables, keep=False).splitlines())
    there = {str(path.relative_to(tree)) for path in (tree / "plugins").rglob("*") if path.is_file()}
    unseen = {path for path in there - seen if "__pycache__" not in path}
    if not there or unseen:
        raise StepFailed(f"ansible-test does not see {min(unseen, default='any file of plugins')}.")
    return len(seen)


def _run_sanity(
    job: Job,
    environment: Environment,
    tree: Path,
    home: Path,
    variables: t.Mapping[str, str],
    options: t.Sequence[str],
) -> None:
    command = [environment.bin / "ansible-test", "sanity", "--junit", "--color", "no", *options]
    # Checks of several checkouts share the home, where ansible-test makes its environments unguarded.
    made = home / f".made-{'-'.join(options).strip('-')}-{environment.directory.name}"
    if not made.exists():
        with open(home / ".lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            carry_pip_settings(environment, home)
            seed_get_pip(environment, home, options[-1])
            job.call(*command, "--prime-venvs", cwd=tree, variables=variables, keep=False)
            made.touch()
    job.call(*command, cwd=tree, variables=variables)


def _read_reports(tree: Path) -> tuple[set[str], dict[str, str]]:
    """Names of the sanity tests that looked at something, and of those left out for want of something, with why."""
    ran, left_out = set(), {}
    for path in (tree / "tests" / "output" / "junit").glob("ansible-test-sanity-*.xml"):
        root = ET.parse(path).getroot()
        for case in root.iter("testcase"):
            name = path.stem.removeprefix("ansible-test-sanity-").split("-python-")[0]
            skipped = case.find("skipped")
            if skipped is None:
                ran.add(name)
            elif (reason := skipped.get("message") or skipped.text or "") != "No tests applicable.":
                left_out[name] = reason
    return ran, left_out
