# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the checkout importable as `ansible_collections.prositronic.infra` and its plugins known to Ansible."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]


# How long the tests of properties look for a counterexample: HYPOTHESIS_PROFILE=thorough looks for long.
settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)


def pytest_configure() -> None:
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
    # `ansible-test units` has done it, and lets tests of modules import no more of Ansible than modules can.
    if importlib.util.find_spec("ansible_collections") is None:
        from ansible.plugins.loader import init_plugin_loader

        init_plugin_loader([str(_collections_path())])


def _collections_path() -> Path:
    """A directory that holds `ansible_collections/prositronic/infra`."""
    if ROOT.parts[-3:] == ("ansible_collections", "prositronic", "infra"):
        return ROOT.parents[2]
    path = ROOT / ".cache" / "tests"
    link = path / "ansible_collections" / "prositronic" / "infra"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to("../../../..", target_is_directory=True)
    return path
