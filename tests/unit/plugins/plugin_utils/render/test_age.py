# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts out of a cache say how old they are; what was gathered in this run does not."""

from __future__ import annotations

import datetime

from ansible_collections.prositronic.infra.plugins.plugin_utils.render import age

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)


def test_old_facts_are_told_the_oldest_first():
    hosts = {
        "fresh": {"gathered_at": "2026-11-22T11:30:00Z"},
        "hours": {"gathered_at": "2026-11-22T07:00:00Z"},
        "days": {"gathered_at": "2026-11-12T12:00:00Z"},
        "elsewhere": {"gathered_at": "2026-11-22T12:30:00+01:00"},
        "by hand": {},
        "odd": {"gathered_at": "yesterday"},
        "unknown": None,
    }
    assert age.told(hosts, NOW) == [
        "days is planned for by facts that are 10 days old",
        "hours is planned for by facts that are 5 hours old",
    ]


def test_of_many_the_first_are_named():
    lines = age.told({f"gpu{n:02}": {"gathered_at": "2026-11-20T12:00:00Z"} for n in range(25)}, NOW)
    assert lines[0].startswith("gpu00 is") and lines[9].startswith("gpu09 is")
    assert lines[10:] == ["15 more hosts are planned for by facts older than an hour"]
