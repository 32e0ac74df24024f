# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The NVIDIA container toolkit on a host: its packages, where they came from, its CDI devices, and who else provides it."""

from __future__ import annotations

import re
import typing as t

from ..host_files import Files
from . import programs

PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)
# Where a GPU Operator's toolkit container puts the programs on the host (GPU Operator, operator.toolkit.installDir)
OPERATOR = "/usr/local/nvidia/toolkit/nvidia-container-runtime"
_LOCKS = "/etc/zypp/locks"
STATIC_CDI = ("/etc/cdi/nvidia.yaml", "/etc/cdi/nvidia.json")
_SOURCE_FOLDERS = {"apt": "/etc/apt/sources.list.d", "dnf": "/etc/yum.repos.d", "zypper": "/etc/zypp/repos.d"}
# All repositories that NVIDIA published the toolkit in
_REPOSITORY = re.compile(r"nvidia\.github\.io/(libnvidia-container|nvidia-docker|nvidia-container-runtime)\b")
_CDI_DEVICE = re.compile(r"nvidia\.com/gpu=(\S+)")
_UUID = re.compile(r"(GPU|MIG)-[0-9a-f]")


def packages(files: Files, manager: str) -> dict[str, str | None]:
    """Return version-release of the toolkit's packages, None for one that is not installed.

    manager: apt, dnf or zypper.
    """
    if manager == "apt":
        form = "--showformat=${db:Status-Status} ${Package} ${Version}\n"
        answer = programs.ask(files, "dpkg-query", "--show", form, *PACKAGES)
    else:
        answer = programs.ask(
            files, "rpm", "--query", "--queryformat=installed %{NAME} %{VERSION}-%{RELEASE}\n", *PACKAGES
        )
    found: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for line in programs.said(answer).splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "installed" and words[1] in found:
            found[words[1]] = words[2]
    return found


def held(files: Files, manager: str) -> list[str]:
    """Return the packages that the package manager keeps as they are; of dnf that is in its package source instead."""
    if manager == "zypper":
        return [
            name for name in PACKAGES if re.search(rf"^solvable_name: {name}$", files.text(_LOCKS) or "", re.MULTILINE)
        ]
    if manager == "dnf":
        return []
    said = programs.said(programs.ask(files, "dpkg", "--get-selections", *PACKAGES))
    selections = dict(line.split()[:2] for line in said.splitlines() if len(line.split()) == 2)
    return [name for name in PACKAGES if selections.get(name) == "hold"]


def old_sources(files: Files, manager: str, own: str) -> tuple[list[str], list[str]]:
    """Return files of package sources that offer the toolkit beside `own`: those with nothing else in them, and mixed ones."""
    folder = _SOURCE_FOLDERS[manager]
    whole, mixed = [], []
    for name in files.names(folder):
        path = f"{folder}/{name}"
        if path == own or not name.endswith((".list", ".sources", ".repo")):
            continue
        places = _places(files.text(path) or "")
        theirs = [bool(_REPOSITORY.search(place)) for place in places]
        if theirs and all(theirs):
            whole.append(path)
        elif any(theirs):
            mixed.append(path)
    return whole, mixed


def _places(text: str) -> list[str]:
    """Return the lines that say where packages come from, of any of the formats of apt, dnf and zypper."""
    return [
        line for line in text.splitlines() if re.match(r"\s*(deb(-src)?\s|URIs\s*:|baseurl\s*=|mirrorlist\s*=)", line)
    ]


def operator(files: Files) -> str | None:
    """Return the evidence that a GPU Operator provides the toolkit on this host."""
    return OPERATOR if files.exists(OPERATOR) else None


def is_wsl(files: Files) -> bool:
    """Say whether this is Linux on Windows, where the driver is that of Windows."""
    return "microsoft" in (files.text("/proc/sys/kernel/osrelease") or "").lower()


def is_jetson(files: Files) -> bool:
    """Say whether this is an NVIDIA Jetson, whose toolkit comes with JetPack."""
    compatible = (files.data("/proc/device-tree/compatible", limit=4096) or b"").decode("ascii", "replace")
    return files.exists("/etc/nv_tegra_release") or "nvidia,tegra" in compatible


def cdi_devices(files: Files) -> list[str] | None:
    """Return the names of NVIDIA's CDI devices, such as 0, all or GPU-6f1f0a2b...; None without a working nvidia-ctk."""
    answer = programs.ask(files, "nvidia-ctk", "cdi", "list")
    return _CDI_DEVICE.findall(programs.said(answer)) if answer and answer.status == 0 else None


def cdi_difference(devices: t.Sequence[str], gpus: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[list[str], list[str]]:
    """Compare CDI devices with the driver's GPUs and MIG slices: what is missing, and what is there no more.

    By UUID where the devices are named so, else by number. A card in MIG mode without slices has no device.
    """
    present = [gpu["uuid"] for gpu in gpus if not (gpu["mig"] and gpu["mig"]["parent_uuid"] == gpu["uuid"])]
    named = [name for name in devices if _UUID.match(name)]
    if named:
        return [each for each in present if each not in named], [each for each in named if each not in present]
    numbered = [name for name in devices if name != "all"]
    return present[len(numbered) :], numbered[len(present) :]
