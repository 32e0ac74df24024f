# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All GPUs of the host, whoever made them, as entries of `gpus`."""

from __future__ import annotations

import typing as t

from ..host_files import Files
from ..processes import Processes
from . import amd, intel, nvidia, pci, tegra
from .device import Device, fill
from .tools import Tools


class Reading(t.NamedTuple):
    """What is known of the GPUs; `driver` is that of the vendor whose GPUs come first."""

    gpus: list[Device]
    driver: dict[str, t.Any]
    problems: list[str]


def read(files: Files, seconds: float) -> Reading:
    """Return the host's GPUs; tools of vendors may take `seconds` together."""
    tools = Tools(seconds)
    cards = pci.cards(files)
    gpus: list[Device] = []
    problems: list[str] = []
    driver: dict[str, t.Any] = {}
    for vendor, reading in (
        ("nvidia", nvidia.read(files, tools, cards)),
        ("amd", amd.read(files, tools, cards)),
        ("intel", intel.read(files, cards)),
    ):
        if vendor == "nvidia":
            reading["gpus"] = _with_tegra(reading["gpus"], tegra.read(files))
        # NVIDIA's driver is worth knowing without a GPU too: it may be what keeps one from being used.
        if not driver and (reading["gpus"] or (vendor == "nvidia" and reading["driver"].get("version"))):
            driver = dict(reading["driver"], vendor=vendor)
        gpus += reading["gpus"]
        problems += reading["problems"]
    gpus = [_with_bus(files, gpu, cards) for gpu in _without_idle_graphics(gpus)]
    return Reading(
        gpus, {key: driver.get(key) for key in ("vendor", "version", "cuda_version")}, problems + _name(files, gpus)
    )


def with_host_memory(gpus: t.Sequence[Device], memory: dict[str, t.Any]) -> list[Device]:
    """Return the GPUs with the host's memory put in where they share it.

    `memory_shared_bytes` is what of `memory_total_bytes` is the host's memory too, and not to be counted twice.
    """
    total, available = memory["total_bytes"], memory["available_bytes"]
    return [
        dict(gpu, memory_total_bytes=total, memory_free_bytes=available, memory_shared_bytes=total)
        if gpu["unified_memory"] and gpu["memory_total_bytes"] is None
        else _within(gpu, available)
        for gpu in gpus
    ]


def _within(gpu: Device, available: int | None) -> Device:
    """Return a GPU that shares part of its memory with the host, its free memory cut to what the host has left."""
    shared = gpu["memory_shared_bytes"]
    if not shared or available is None or gpu["memory_free_bytes"] is None:
        return gpu
    own = gpu["memory_total_bytes"] - shared
    return dict(gpu, memory_free_bytes=min(gpu["memory_free_bytes"], own + available))


def _with_tegra(gpus: list[Device], tegra_gpu: Device | None) -> list[Device]:
    if tegra_gpu is None:
        return gpus
    return [fill(gpu, tegra_gpu) if gpu["unified_memory"] else gpu for gpu in gpus] or [tegra_gpu]


def _without_idle_graphics(gpus: list[Device]) -> list[Device]:
    """Return the GPUs that llama.cpp would use: graphics inside the CPU only where there is no other GPU."""
    others = [gpu for gpu in gpus if not gpu["memory_shared_bytes"]]
    return others or gpus


def _with_bus(files: Files, gpu: Device, cards: t.Sequence[pci.Card]) -> Device:
    """Return a GPU with what the PCI bus knows of it and its tool did not say."""
    for card in cards:
        if card.bus_id == gpu["pci_bus_id"]:
            return dict(
                gpu,
                numa_node=card.numa_node,
                pci_device_id=gpu["pci_device_id"] or card.pci_device_id,
                pcie=gpu["pcie"] or pci.link(files, card),
            )
    return gpu


def _name(files: Files, gpus: t.Sequence[Device]) -> list[str]:
    """Write name and unit of each process into it; return a problem when some cannot be told."""
    processes = Processes(files)
    hidden = 0
    for gpu in gpus:
        for entry in gpu["processes"]:
            entry["name"] = processes.name(entry["pid"])
            entry["unit"] = processes.unit(entry["pid"])
            hidden += not processes.visible(entry["pid"])
    if not hidden:
        return []
    return [
        f"{hidden} of the processes on GPUs cannot be seen from here (another PID namespace, or /proc hides them),"
        " so their units are unknown: run on the host itself and as root"
    ]
