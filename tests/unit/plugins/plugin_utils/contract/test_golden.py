# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts and plans of tests/golden are of the contract, and the planner still answers with those plans."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost

ROOT = Path(__file__).resolve().parents[5]
sys.path.insert(0, str(ROOT / "tests"))
import golden  # noqa: E402 # pylint: disable=wrong-import-position

HOSTS = sorted({request["host"] for request in golden.requests().values()})


def _schema(name):
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_is_of_the_contract_and_loses_nothing_in_it(name):
    host = golden.host(name)
    _schema("inference_host").validate(host)
    kept = InferenceHost.model_validate(host).model_dump(mode="json", exclude_unset=True)
    assert kept == host


@pytest.mark.parametrize("name", sorted(golden.requests()))
def test_a_plan_is_of_the_contract(name):
    _schema("plan").validate(golden.plan(name))


@pytest.mark.parametrize("name", sorted(golden.requests()))
def test_the_planner_answers_with_the_plan_that_was_looked_at(name):
    assert golden.answer(name) == golden.plan(name), "if that is meant: python3 tools/write_golden.py, and look at it"


def test_no_plan_is_left_that_nobody_asks_for():
    assert {path.stem for path in golden.PLANS.glob("*.json")} == set(golden.requests())
