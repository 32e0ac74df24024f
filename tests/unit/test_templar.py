# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The helper gives filters what a play gives them."""

from __future__ import annotations

import textwrap

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible.plugins.loader import filter_loader
from ansible_collections.prositronic.infra.tests.unit.templar import render


@pytest.fixture(scope="module")
def type_of(tmp_path_factory):
    """Adds a filter `type_of`, which names the Python types that filters see."""
    directory = tmp_path_factory.mktemp("filters")
    source = """
        class FilterModule:
            def filters(self):
                return {"type_of": lambda value: [type(value).__name__]}
        """
    (directory / "type_of.py").write_text(textwrap.dedent(source), encoding="utf-8")
    filter_loader.add_directory(str(directory))


@pytest.mark.parametrize("value", [[1], {"name": "L4"}, "L4"])
@pytest.mark.usefixtures("type_of")
def test_a_filter_does_not_get_builtin_types(value):
    seen = render("value | type_of", value=value)
    assert seen != [type(value).__name__]


def test_templates_inside_variables_are_resolved_with_their_type():
    gpus = [{"memory_free_bytes": "{{ size }}"}]
    assert render("gpus[0].memory_free_bytes + 1", gpus=gpus, size=24 << 30) == (24 << 30) + 1


def test_an_undefined_variable_is_ansibles_own_error():
    with pytest.raises(AnsibleUndefinedVariable, match="not_there"):
        render("gpus | ansible.builtin.length", gpus="{{ not_there }}")
