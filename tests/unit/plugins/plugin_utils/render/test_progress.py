# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a job is, in a line."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.render.progress import duration, line

GIB = 1 << 30
MIB = 1 << 20


@pytest.mark.parametrize(
    ("done", "total", "rate", "text"),
    [
        (12 * GIB + 300 * MIB, 40 * GIB, 200 * MIB, "fetching, 12.3 of 40.0 GiB, 200 MiB/s, 2 min 22 s left"),
        (500 * MIB, 40 * GIB, 512 * 1024, "fetching, 0.5 of 40.0 GiB, 512 KiB/s, 22 h 28 min left"),
        (3 * MIB, 9 * MIB, MIB, "fetching, 3.0 of 9.0 MiB, 1 MiB/s, 6 s left"),
        (2 * GIB, None, None, "fetching, 2.0 GiB"),
        (2 * GIB, 2 * GIB, MIB, "fetching, 2.0 of 2.0 GiB, 1 MiB/s"),
        (0, None, None, "fetching"),
    ],
)
def test_line(done, total, rate, text):
    progress = {"phase": "fetching", "bytes": done, "total_bytes": total, "bytes_per_second": rate}
    assert line(progress) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3700, "1 h 1 min"), (90000, "1 d 1 h")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
