# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a job is, in a line for people."""

from __future__ import annotations

import typing as t

from ..units import GIB, gib

_MIB = 1 << 20


def line(progress: t.Mapping[str, t.Any]) -> str:
    """Return a line such as `fetching, 12.3 of 40.1 GiB, 211 MiB/s, 2 min 15 s left`.

    :param progress: `phase`, `bytes`, `total_bytes` and `bytes_per_second`, the last two None where not known.
    """
    words = [str(progress.get("phase"))]
    done, total, rate = (progress.get(key) for key in ("bytes", "total_bytes", "bytes_per_second"))
    if done:
        words.append(f"{_figure(done, total or done)} of {_size(total)}" if total else _size(done))
    if rate:
        words.append(f"{rate / _MIB:,.0f} MiB/s" if rate >= _MIB else f"{rate / 1024:,.0f} KiB/s")
        if total and total > (done or 0):
            words.append(f"{duration((total - (done or 0)) / rate)} left")
    return ", ".join(words)


def _size(value_bytes: int) -> str:
    """Return a size with its unit; what is less than a GiB would be hard to read in that."""
    return f"{_figure(value_bytes, value_bytes)} {'GiB' if value_bytes >= GIB else 'MiB'}"


def _figure(value_bytes: int, whole_bytes: int) -> str:
    """Return a size in the unit of the whole that it is a part of."""
    return gib(value_bytes) if whole_bytes >= GIB else f"{value_bytes / _MIB:,.1f}"


def duration(seconds: float) -> str:
    """Return a time as people say it, to the two largest units."""
    whole = round(seconds)
    for unit, length, lesser, short in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // short} {lesser}"
    return f"{whole} s"
