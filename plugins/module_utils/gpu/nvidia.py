# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVIDIA GPUs: the driver's library first, nvidia-smi where that cannot be used."""

from __future__ import annotations

import functools
import re
import typing as t

from ..bounded import Broken, call
from ..host_files import Files
from . import nvidia_errors as errors
from . import nvidia_smi, nvml, pci
from .device import Device, bus_id
from .tools import Tools, excerpt

# Kernel drivers that own a card on purpose: NVIDIA's own, and those that hand it to a virtual machine.
_OWNERS = ("nvidia", "vfio-pci", "nvgrace_gpu_vfio_pci")


class _Failure(Exception):
    """A source cannot tell; the text is a sentence for `problems`, empty when the host has no such source."""


def read(files: Files, tools: Tools, cards: t.Sequence[pci.Card]) -> dict[str, t.Any]:
    """Return `{driver, gpus, problems}`."""
    problems: list[str] = []
    for source in (_from_library, _from_tool):
        try:
            reading = source(files, tools)
            reading["problems"] += _left_out(files, reading)
            break
        except _Failure as failure:
            if str(failure) and str(failure) not in problems:
                problems.append(str(failure))
    else:
        reading = {"driver": {"version": _module_version(files)}, "gpus": [], "problems": problems}
    reading["gpus"], unusable = _usable(reading["gpus"])
    reading["problems"] += unusable + _without_driver(cards)
    return reading


def _from_library(files: Files, tools: Tools) -> dict[str, t.Any]:
    try:
        reading = call(functools.partial(nvml.read, nvml.LIBRARIES), tools.left())
    except Broken as broken:
        raise _Failure(f"the NVIDIA library {broken}") from broken
    if reading["error"] == errors.LIBRARY_NOT_FOUND:
        raise _Failure("")  # nothing of NVIDIA's installed, unless nvidia-smi says otherwise
    if reading["error"]:
        raise _Failure(_sentence(reading["error"], files, reading["driver"].get("library_version")))
    return reading


def _from_tool(files: Files, tools: Tools) -> dict[str, t.Any]:
    path = tools.find("nvidia-smi")
    if path is None:
        raise _Failure("")
    try:
        answer = tools.run(path, *nvidia_smi.QUERY)
        try:
            reading = nvidia_smi.parse(answer.output)
        except nvidia_smi.Unreadable:
            if errors.is_number(answer.status):
                library = re.search(r"NVML library version: ([\d.]+)", answer.text)
                raise _Failure(_sentence(answer.status, files, library.group(1) if library else None)) from None
            if answer.status:
                raise _Failure(f"nvidia-smi exited with {answer.status}: {excerpt(answer.text)}") from None
            raise
        others = {"capabilities": tools.run(path, *nvidia_smi.CAPABILITIES)}
        if nvidia_smi.has_slices(reading):
            others["listing"] = tools.run(path, *nvidia_smi.LIST)
        if len(reading["gpus"]) > 1:
            others["topology"] = tools.run(path, *nvidia_smi.TOPOLOGY)
        texts = {name: other.output.decode("utf-8", "replace") for name, other in others.items()}
        return nvidia_smi.parse(answer.output, **texts)
    except (Broken, nvidia_smi.Unreadable) as broken:
        raise _Failure(f"nvidia-smi {broken}") from broken


def _sentence(number: int, files: Files, library_version: str | None) -> str:
    versions = ""
    if number == errors.LIB_RM_VERSION_MISMATCH:
        parts = {"kernel module": _module_version(files), "library": library_version}
        versions = ", ".join(f"{part} {version}" for part, version in parts.items() if version)
    return errors.meaning(number) + (f" ({versions})" if versions else "")


def _module_version(files: Files) -> str | None:
    """Return the version of the kernel module that is loaded."""
    return files.text("/sys/module/nvidia/version")


def _usable(gpus: t.Sequence[Device]) -> tuple[list[Device], list[str]]:
    """Return the GPUs as CUDA sees them, and why some have nothing to give."""
    found, problems = [], []
    for gpu in gpus:
        if gpu["mig"] and gpu["uuid"] == gpu["mig"]["parent_uuid"]:
            problems.append(
                f"GPU {gpu['index']} is in MIG mode without any slice, so nothing can run on it: make slices"
                f" (nvidia-smi mig -i {gpu['index']} -cgi PROFILE -C) or end MIG mode (nvidia-smi -i {gpu['index']} -mig 0)"
            )
        elif gpu["compute_mode"] == "prohibited":
            problems.append(
                f"GPU {gpu['index']} is in compute mode prohibited, so CUDA cannot use it:"
                f" allow it with nvidia-smi -i {gpu['index']} -c DEFAULT"
            )
            gpu = dict(gpu, memory_free_bytes=0)
        found.append(gpu)
    return found, problems


def _left_out(files: Files, reading: dict[str, t.Any]) -> list[str]:
    """Return a problem for cards that the driver holds and does not list: they have stopped working since it started.

    A container sees only the cards that it was given in this folder, and every card of the host on the bus.
    """
    listed = {gpu["pci_bus_id"] for gpu in reading["gpus"]}
    missing = [name for name in files.names("/proc/driver/nvidia/gpus") if bus_id(name) not in listed]
    if not missing or reading["problems"]:  # a card that is told to be lost is one of these
        return []
    return [
        f"the NVIDIA driver no longer lists {', '.join(missing)}: look for Xid lines in the kernel log, then reboot"
    ]


def _without_driver(cards: t.Sequence[pci.Card]) -> list[str]:
    """Return a problem for NVIDIA cards that no driver of NVIDIA's owns."""
    idle: dict[str, list[str]] = {}
    for card in cards:
        if card.vendor == pci.NVIDIA and card.driver not in _OWNERS:
            idle.setdefault(card.driver or "no driver", []).append(f"{card.bus_id} ({card.pci_device_id})")
    return [
        f"{driver} is bound to the NVIDIA GPU{'s' if len(names) > 1 else ''} {', '.join(names)}:"
        " install NVIDIA's driver, without it they cannot compute"
        for driver, names in sorted(idle.items())
    ]
