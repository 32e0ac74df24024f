# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs pytest in a tree and counts what it did; every skipped test is named with its reason."""

from __future__ import annotations

import collections
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

from runner import Job, StepFailed

from tools.environment import Environment


def run(
    job: Job, environment: Environment, tree: Path, variables: t.Mapping[str, str], folder: str, *options: str
) -> None:
    """Run the tests below `folder` of `tree`; raises StepFailed when one fails or none ran."""
    report = tree.parents[2] / "pytest.xml"
    collections_path = str(tree.parents[2])
    try:
        job.call(
            environment.bin / "python",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junit-xml={report}",
            folder,
            *options,
            cwd=tree,
            variables={**variables, "ANSIBLE_COLLECTIONS_PATH": collections_path},
        )
    finally:
        count(job, report)
    if not job.passed:
        raise StepFailed(f"no test below {folder} ran")


def count(job: Job, report: Path) -> None:
    """Add up a JUnit report, if there is one: totals, and a remark for each reason why tests were skipped."""
    if not report.exists():
        return
    reasons: collections.Counter[str] = collections.Counter()
    for case in ET.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            job.failed += 1
        elif (skipped := case.find("skipped")) is not None:
            job.skipped += 1
            reasons[skipped.get("message") or "no reason given"] += 1
        else:
            job.passed += 1
    for reason, number in sorted(reasons.items()):
        job.not_run.append(f"{job.step.name}: {number} skipped: {reason}")
