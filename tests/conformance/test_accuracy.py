# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/accuracy.md says what the measurements say."""

from __future__ import annotations

import json

import pytest
from ansible_collections.prositronic.infra.tests.conformance import accuracy, memory_rows

AGAIN = "run python3 tools/write_accuracy.py"
RESULTS = json.loads(accuracy.RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_what_the_results_give():
    assert accuracy.PAGE.read_text(encoding="utf-8") == accuracy.current_page(), f"{AGAIN} --page"


def test_the_results_come_from_the_measurements_that_are_there():
    assert RESULTS["data"] == accuracy.data_checksum(), AGAIN


@pytest.mark.parametrize("architecture", ["exaone4", "granite", "starcoder2"])
def test_the_results_are_those_of_the_rules_that_are_there(architecture):
    """Three architectures worked out again; a rule that changed shows in test_memory, for all."""
    rows = [
        row
        for row in memory_rows.all_rows()
        if memory_rows.model(row.model, row.data["quant"]).architecture == architecture
    ]
    assert [list(tally) for tally in accuracy.tallies(rows)[architecture]] == RESULTS["architectures"][architecture], (
        AGAIN
    )
