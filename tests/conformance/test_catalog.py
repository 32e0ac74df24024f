# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models of the catalog beside measured ones, and beside the sizes of published files."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import architecture
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.tests.conformance.measured import rows
from ansible_collections.prositronic.infra.tools.catalog import sizes

MEASURED = {row["model"]: row for row in rows("models", "models_more")}


@pytest.fixture(scope="module")
def comparisons():
    return sizes.comparisons()


@pytest.mark.parametrize("name", MEASURED)
def test_every_measured_model_is_in_the_catalog_with_its_very_tensors(name):
    entry = access.model(name)
    built = {(tensor.name, tensor.shape, tensor.type) for tensor in architecture.tensors(entry["metadata"])}
    assert built == {(name, tuple(shape), kind) for name, shape, kind in MEASURED[name]["tensors"]}


def test_published_sizes_are_as_predicted_or_explained(comparisons):
    """`python3 tools/catalog sizes` prints them all."""
    unexplained = [
        (one.model, one.file["repository"], one.file["quant"], f"{one.difference:+.2%}")
        for one in comparisons
        if not one.agrees and one.why is None
    ]
    assert unexplained == []


def test_sizes_that_are_printed_exactly_enough_agree_within_half_a_percent(comparisons):
    agreeing = [
        one for one in comparisons if one.precision <= sizes.TOLERANCE / 2 and abs(one.difference) <= sizes.TOLERANCE
    ]
    assert len(agreeing) >= 500
    assert len({one.file["repository"].split("/")[0] for one in agreeing}) >= 10
    assert len({one.model for one in agreeing}) >= 60
    assert len({one.file["quant"] for one in agreeing}) >= 25


def test_no_explanation_is_left_over(comparisons):
    differing = [one for one in comparisons if not one.agrees]
    for explanation in sizes.explanations():
        for model in explanation["models"]:
            assert any(sizes.matches(explanation, model, one.file) for one in differing if one.model == model), (
                f"no file of {model} needs: {explanation['why']}"
            )


def test_most_files_are_as_predicted(comparisons):
    assert sum(one.agrees for one in comparisons) >= 0.8 * len(comparisons)
    assert len(comparisons) >= 1900
