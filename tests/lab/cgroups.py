# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cgroup for every host: two hosts in one cgroup would share systemd's system.slice."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import LabError

PARENT = "prositronic-lab"


def hierarchies() -> list[Path]:
    """Mount points of what systemd keeps its units in: cgroup v2, and the name=systemd hierarchy of v1 where there is one."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _dash, kind = line.partition(" - ")
        filesystem, _source, options = kind.split(" ", 2)
        if filesystem == "cgroup2" or (filesystem == "cgroup" and "name=systemd" in options.split(",")):
            found.append(Path(fields.split(" ")[4]))
    return found


def unified() -> Path:
    """Mount point of cgroup v2."""
    for folder in hierarchies():
        if (folder / "cgroup.controllers").exists():
            return folder
    raise LabError("no cgroup v2 is mounted on this machine")


def make(lab: str, host: str) -> list[Path]:
    """Make the cgroup of one host in every hierarchy."""
    folders = [folder / PARENT / lab / host for folder in hierarchies()]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def of_lab(lab: str) -> list[Path]:
    """Cgroup folders of a lab that exist, one for each hierarchy."""
    return [folder for folder in (root / PARENT / lab for root in hierarchies()) if folder.is_dir()]


def _depth_first(folder: Path) -> Iterator[Path]:
    for child in folder.iterdir():
        if child.is_dir():
            yield from _depth_first(child)
    yield folder


def kill(folder: Path) -> None:
    """Kill every process in a cgroup v2 folder and below, at once (Linux 5.14)."""
    (folder / "cgroup.kill").write_text("1", encoding="ascii")


def remove(folder: Path, patience_seconds: float = 5.0) -> None:
    """Remove a cgroup and those below; its processes are dead or dying."""
    deadline = time.monotonic() + patience_seconds
    while folder.is_dir():
        try:
            for each in list(_depth_first(folder)):
                each.rmdir()
        except FileNotFoundError:
            continue
        except OSError as problem:
            if time.monotonic() > deadline:
                raise LabError(f"cgroup {folder} still holds processes") from problem
            time.sleep(0.02)


def remove_lab(lab: str) -> None:
    """Remove every cgroup of a lab, and the lab's parent when it was the last."""
    for folder in of_lab(lab):
        remove(folder)
        with contextlib.suppress(OSError):  # another lab's are in there
            folder.parent.rmdir()
