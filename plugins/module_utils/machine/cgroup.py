# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that control groups (version 1 and 2) put on this process: a container has these instead of the host."""

from __future__ import annotations

import typing as t

from ..host_files import Files

_UNLIMITED = 2**62  # version 1 writes "no limit" as the largest number of pages


class Limit(t.NamedTuple):
    """The tightest memory limit, and what the group it is set on has left of it."""

    limit_bytes: int
    left_bytes: int | None


def memory(files: Files) -> Limit | None:
    """Return the tightest memory limit between this process and the top, None without one."""
    found = []
    for group, version in _groups(files, "memory"):
        limit = files.integer(group, "memory.max" if version == 2 else "memory.limit_in_bytes")
        if limit is not None and limit < _UNLIMITED:
            found.append(Limit(limit, _left(files, group, version, limit)))
    if not found:
        return None
    left = [limit.left_bytes for limit in found if limit.left_bytes is not None]
    return Limit(min(limit.limit_bytes for limit in found), min(left, default=None))


def cpu_quota(files: Files) -> float | None:
    """Return how many CPUs' time this process may use, None without a quota."""
    quotas = []
    for group, version in _groups(files, "cpu"):
        if version == 2:
            quota, _space, period = (files.text(group, "cpu.max") or "").partition(" ")
        else:
            quota, period = files.text(group, "cpu.cfs_quota_us") or "", files.text(group, "cpu.cfs_period_us") or ""
        if quota.isdigit() and period.isdigit() and int(period):
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _left(files: Files, group: str, version: int, limit: int) -> int | None:
    """Return what is left below a limit: file pages are given up when memory is short, as in MemAvailable."""
    used = files.integer(group, "memory.current" if version == 2 else "memory.usage_in_bytes")
    if used is None:
        return None
    table = files.table(group, "memory.stat")
    prefix = "" if version == 2 else "total_"
    reclaimable = sum(
        int(table[prefix + key])
        for key in ("inactive_file", "active_file", "slab_reclaimable")
        if table.get(prefix + key, "").isdigit()
    )
    return min(max(limit - used + reclaimable, 0), limit)


def _groups(files: Files, controller: str) -> list[tuple[str, int]]:
    """Return the folders of the groups of this process, innermost first, with their cgroup version.

    Limits on a login session do not bind the services that a plan is made for: groups below user.slice are left out.
    """
    own = {}
    for line in (files.text("/proc/self/cgroup") or "").splitlines():
        _number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        own[controllers] = path
    groups = []
    for root, mount, options, version in _mounts(files):
        if version == 1 and controller not in options:
            continue
        names = [
            path
            for controllers, path in own.items()
            if (controllers == "" if version == 2 else controller in controllers.split(","))
        ]
        if not names:
            continue
        # In a container the mount shows a part of the tree: what lies above its root cannot be seen.
        path = names[0]
        if root != "/" and (path + "/").startswith(root.rstrip("/") + "/"):
            path = path[len(root.rstrip("/")) :]
        parts = [part for part in path.split("/") if part not in ("", "..")]
        if "user.slice" in parts:
            parts = parts[: parts.index("user.slice")]
        groups += [("/".join([mount, *parts[:depth]]), version) for depth in range(len(parts), -1, -1)]
    return groups


def _mounts(files: Files) -> list[tuple[str, str, list[str], int]]:
    """Return (root, mount point, options, version) of every cgroup file system."""
    mounts = []
    for line in (files.text("/proc/self/mountinfo") or "").splitlines():
        before, _dash, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and len(kind) > 2 and kind[0] in ("cgroup", "cgroup2"):
            mounts.append((fields[3], fields[4], kind[2].split(","), 2 if kind[0] == "cgroup2" else 1))
    return mounts
