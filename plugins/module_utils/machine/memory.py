# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RAM: how much this host, or this container, may use, and how much of it is left."""

from __future__ import annotations

import typing as t

from ..host_files import Files
from ..processes import kibibytes
from . import cgroup, numa


def read(files: Files) -> dict[str, t.Any]:
    """Return `memory` of the contract.

    Huge pages are part of the total and never of what is available: llama.cpp does not use them.
    """
    table = files.table("/proc/meminfo")
    total, available = kibibytes(table.get("MemTotal")), kibibytes(table.get("MemAvailable"))
    for node in numa.gpu_memory(files):
        # The memory of a GPU that the kernel counts as its own; what is free of it is in MemAvailable as well.
        total = _less(total, node["memory_total_bytes"])
        available = _less(available, node["memory_free_bytes"])
    limit = cgroup.memory(files)
    if limit is not None and (total is None or limit.limit_bytes < total):
        total = limit.limit_bytes
        available = _least(available, limit.left_bytes)
    else:
        limit = None
    return {
        "total_bytes": total,
        "available_bytes": _least(available, total) if available is not None else None,
        "limit_bytes": limit.limit_bytes if limit else None,
        "huge_pages_bytes": _huge_pages(table),
    }


def _huge_pages(table: dict[str, str]) -> int | None:
    """Return the bytes set aside as huge pages of all sizes; kernels before 4.16 tell those of the default size only."""
    everything = kibibytes(table.get("Hugetlb"))
    if everything is not None:
        return everything
    pages, size = table.get("HugePages_Total", ""), kibibytes(table.get("Hugepagesize"))
    return int(pages) * size if pages.isdigit() and size is not None else None


def _less(value: int | None, part: int | None) -> int | None:
    return None if value is None else max(value - (part or 0), 0)


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)
