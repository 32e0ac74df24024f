# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller without pydantic: everything imports, and the first use says what to install where."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "ansible_collections.prositronic.infra.plugins.plugin_utils"

# A process of its own: the modules are imported anew, with an import of pydantic that fails as if it was not there.
WITHOUT_PYDANTIC = f"""
import importlib, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([sys.argv[1]])
sys.modules["pydantic"] = None
from ansible.errors import AnsibleFilterError
from {PACKAGE} import _ansible
for name in sys.argv[2:]:
    importlib.import_module(name)
try:
    _ansible.call(lambda: 1, {{}}, "model_fit", AnsibleFilterError)
except AnsibleFilterError as error:
    print(error.message)
"""


def plugin_utils() -> Path:
    package = __import__(f"{PACKAGE}._pydantic", fromlist=["_pydantic"])
    return Path(package.__file__).parent


@pytest.fixture(scope="module")
def message() -> str:
    root = plugin_utils()
    modules = [
        ".".join((PACKAGE, *path.relative_to(root).with_suffix("").parts)) for path in sorted(root.rglob("*.py"))
    ]
    assert len(modules) > 3
    command = [sys.executable, "-c", WITHOUT_PYDANTIC, str(root.parents[4]), *modules]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": ""})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_message_names_the_library_and_its_version(message):
    assert "pydantic >= 2.8" in message


def test_the_message_names_the_interpreter_to_install_it_for(message):
    assert sys.executable in message


def test_the_message_begins_with_the_plugin(message):
    assert message.startswith("model_fit: ")


def test_the_minimum_is_the_one_that_is_installed_with_the_collection():
    package = __import__(f"{PACKAGE}._pydantic", fromlist=["_pydantic"])
    root = plugin_utils().parents[1]
    for name in ("requirements.txt", "meta/ee-requirements.txt", "tests/unit/requirements.txt"):
        assert f"pydantic >= {package.MINIMUM_VERSION}, < 3" in (root / name).read_text(encoding="utf-8")
