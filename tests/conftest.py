# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings for all tests. pytest-ansible makes the checkout importable as `ansible_collections.prositronic.infra`."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

pytest_plugins = ["long_tests"]

# How long the tests of properties look for a counterexample: HYPOTHESIS_PROFILE=thorough looks for long.
settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)


def pytest_configure() -> None:
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
    # Nodes of graphs are many, live for one question and are no garbage meanwhile: looking for it takes a fifth of the time
    gc.set_threshold(200_000, 50, 1_000)
