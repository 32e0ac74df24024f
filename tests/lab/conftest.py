# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for tests on hosts that really boot.

lab: a lab of the test's own. module_lab: one lab for all tests of a file.
A failed test leaves journals, consoles and the output of plays in a folder that its report names.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

import pytest

from . import needs
from .errors import LabError
from .laboratory import Lab
from .paths import results_dir

pytest_plugins = ["long_tests"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a lab, with every reason, where the lab cannot run."""
    problems = needs.missing()
    if problems:
        skip = pytest.mark.skip(reason="; ".join(problems))
        for item in items:
            if item.get_closest_marker("without_lab") is None:
                item.add_marker(skip)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab without hosts yet, taken down after the test."""
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def module_lab() -> Iterator[Lab]:
    """A lab that the tests of one file share, taken down after the last."""
    with Lab() as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the evidence of a failure while the hosts still run."""
    report = yield
    if report.when != "teardown" and report.failed:
        _keep_evidence(item, report)
    return report


def _keep_evidence(item: pytest.Item, report: pytest.TestReport) -> None:
    labs = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Lab)]
    folder = results_dir() / re.sub(r"[^A-Za-z0-9_.-]+", "-", item.nodeid)
    for number, running in enumerate(labs):
        try:
            saved = running.save_evidence(folder / str(number) if number else folder)
            said = "\n".join(map(str, saved)) or "no host had booted, no play had run"
        except (LabError, OSError) as problem:  # the failure itself is what has to be reported
            said = f"not everything could be kept: {problem}"
        report.sections.append(("kept by the lab", said))
