# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fixture `host`; imported late, this file is read before the collection can be imported."""

from __future__ import annotations

import pytest


@pytest.fixture
def host(tmp_path, monkeypatch):
    from ansible_collections.prositronic.infra.tests.unit.hosts.isolated import Host

    return Host(tmp_path, monkeypatch)
