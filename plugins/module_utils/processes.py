# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes of the host: their name, and the systemd unit that owns them."""

from __future__ import annotations

import typing as t

from .host_files import Files

_UNIT_SUFFIXES = (".service", ".scope")


class Processes:
    """What /proc tells of the host's processes."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._units: dict[str, list[int]] | None = None

    def name(self, pid: int) -> str | None:
        """Return the name of a process, never its arguments: those may hold secrets."""
        return self._files.text("/proc", str(pid), "comm") or None

    def unit(self, pid: int) -> str | None:
        """Return the systemd unit of a process: the innermost service or scope that its control group lies in."""
        return unit_of(self._files.text("/proc", str(pid), "cgroup"))

    def visible(self, pid: int) -> bool:
        """Say whether /proc shows a process: not in another PID namespace, not hidden by hidepid."""
        return self._files.exists("/proc", str(pid))

    def of_unit(self, unit: str) -> list[int]:
        """Return the processes of a unit, sorted; empty when it does not run."""
        if self._units is None:
            self._units = {}
            for name in self._files.names("/proc"):
                if name.isdigit():
                    self._units.setdefault(self.unit(int(name)) or "", []).append(int(name))
        return sorted(self._units.get(unit, []))

    def held_memory(self, pid: int) -> int:
        """Return the bytes of RAM that come back when a process ends.

        File pages that are only cached are available memory already; anonymous, shared and locked ones are not.
        """
        status = self._files.table("/proc", str(pid), "status")
        held = sum(kibibytes(status.get(key)) or 0 for key in ("RssAnon", "RssShmem", "VmLck"))
        return min(held, kibibytes(status.get("VmRSS")) or 0)


def unit_of(cgroup: str | None) -> str | None:
    """Return the unit named in the text of /proc/PID/cgroup, of version 1 (systemd's hierarchy) or 2."""
    unit = None
    for line in (cgroup or "").splitlines():
        _number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if controllers not in ("", "name=systemd"):
            continue
        for part in path.split("/"):
            if part.endswith(_UNIT_SUFFIXES):
                unit = part.removeprefix("_")  # systemd escapes reserved names with _
        if unit:
            break
    return unit


def kibibytes(text: t.Any) -> int | None:
    """Return the bytes of a value such as `1024 kB`."""
    number, _space, unit = str(text or "").partition(" ")
    return int(number) * 1024 if number.isdigit() and unit.strip() == "kB" else None
