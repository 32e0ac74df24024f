# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.schemas import chart_document, documents

ROOT = pathlib.Path(__file__).resolve().parents[5]
PUBLISHED = ROOT / "docs" / "schemas"


def test_the_published_schemas_are_those_of_the_typed_models():
    published = {path.name: path.read_text(encoding="utf-8") for path in PUBLISHED.glob("*.schema.json")}
    assert published == documents(), "run python3 tools/write_schemas.py"


def test_the_chart_has_the_schema_of_its_typed_values():
    schema = ROOT / "roles" / "helmfile_values" / "files" / "chart" / "values.schema.json"
    assert schema.read_text(encoding="utf-8") == chart_document(), "run python3 tools/write_schemas.py"


@pytest.mark.parametrize("name", sorted(documents()))
def test_a_schema_forbids_unknown_keys_and_says_what_each_type_is(name):
    schema = json.loads(documents()[name])
    assert schema["additionalProperties"] is False
    assert schema["description"]
