# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lab that should be gone left on the machine."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import cgroups
from .keeper import loop_devices
from .paths import state_dir


def leases() -> dict[str, dict[str, Any]]:
    """What the labs' leases say: {lab: {keeper, first, namespaces}}."""
    found = {}
    for lease in state_dir().glob("*/lease"):
        with contextlib.suppress(OSError, ValueError):  # being written or removed
            found[lease.parent.name] = json.loads(lease.read_text(encoding="ascii"))
    return found


def _of_living_labs_but(name: str) -> set[str]:
    """The kernel gives the number of a namespace that is gone to the next one made."""
    return {identity for lab, facts in leases().items() if lab != name for identity in facts["namespaces"].values()}


def of_lab(name: str, namespaces: Mapping[str, str]) -> list[str]:
    """Processes, mounts, namespaces, cgroups, loop devices and files of a lab, one sentence each.

    namespaces: what the lab's first process had, {kind: "kind:[inode]"}.
    """
    state = state_dir() / name
    found = set()
    ours = {kind: identity for kind, identity in namespaces.items() if identity not in _of_living_labs_but(name)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            for kind, identity in ours.items():
                if os.readlink(process / "ns" / kind) == identity:
                    found.add(f"process {process.name} is in the lab's {kind} namespace")
            if f"/{cgroups.PARENT}/{name}/" in (process / "cgroup").read_text(encoding="utf-8"):
                found.add(f"process {process.name} is in a cgroup of the lab")
            if f"{state}/" in (process / "mountinfo").read_text(encoding="utf-8", errors="replace"):
                found.add(f"process {process.name} sees mounts below {state}")
            if f"{state}/".encode() in (process / "cmdline").read_bytes():
                found.add(f"process {process.name} was started for the lab")
        except OSError:
            continue  # ended since it was listed, or a thread of the kernel
    found.update(f"cgroup {folder}" for folder in cgroups.of_lab(name))
    found.update(f"loop device {device}" for device in loop_devices(state))
    if state.exists():
        found.add(f"folder {state}")
    return sorted(found)
