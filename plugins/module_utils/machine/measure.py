# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opt-in measurements, bounded in time, that leave nothing behind."""

from __future__ import annotations

import functools
import statistics
import typing as t

from ..bounded import Broken, call
from ..host_files import Files
from . import disk_speed, memory_bandwidth

# Beyond the seconds asked for: filling buffers, opening files, a disk that answers late.
_MARGIN_SECONDS = 20.0
# On a quiet host half of the rounds come this close to the best.
_QUIET = 0.75


def memory(
    files: Files, processors: dict[str, t.Any], ram: dict[str, t.Any], seconds: float
) -> tuple[dict[str, t.Any], list[str]]:
    """Return `cpu` with the bandwidth that all cores together read from memory, and problems."""
    available = ram["available_bytes"] or 0
    try:
        rates = call(functools.partial(memory_bandwidth.measure, files, available, seconds), seconds + _MARGIN_SECONDS)
    except Broken as broken:
        return processors, [f"measuring the memory bandwidth {broken}"]
    problems = []
    if statistics.median(rates) < _QUIET * rates[-1]:
        problems.append(
            f"measuring the memory bandwidth gave {rates[0] / 1e9:.1f} to {rates[-1] / 1e9:.1f} GB/s, so other work runs"
            " on this host: the highest is given, measure again when it is quiet"
        )
    return dict(processors, bandwidth_bytes_per_second=int(rates[-1]), source="measured"), problems


def storage(folders: t.Sequence[dict[str, t.Any]], seconds: float) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Return `storage` with the rate of sequential reads from each folder, and problems."""
    entries, problems = [], []
    for entry in folders:
        path = entry["path"]
        try:
            figure = call(functools.partial(disk_speed.measure, path, seconds), seconds * 2 + _MARGIN_SECONDS)
            entry = dict(entry, read_bytes_per_second=figure, source="measured")
        except Broken as broken:
            problems.append(f"measuring reads from {path} {broken}")
        entries.append(entry)
    return entries, problems
