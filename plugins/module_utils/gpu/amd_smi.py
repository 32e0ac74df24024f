# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AMD GPUs as amd-smi prints them: a list in ROCm 6, `{"gpu_data": [...]}` in ROCm 7."""

from __future__ import annotations

import typing as t

from ..bounded import Broken
from .amd_chips import is_apu, only_shows_a_desktop
from .device import Device, bus_id, device, free_bytes, process
from .json_output import Run, Unreadable, at, decode, number, size, text_at

__all__ = ["Unreadable", "read"]


def read(run: Run) -> dict[str, t.Any]:
    """Return `{version, gpus}`; :raises Unreadable, Broken: amd-smi did not work."""
    static = _entries(decode(run("static", "--json")))
    memory = _by_gpu(decode(run("metric", "--mem-usage", "--json")))
    try:
        processes = _by_gpu(decode(run("process", "--json")))
    except (Broken, Unreadable):
        processes = {}  # the kernel tells them too
    gpus = [
        gpu
        for entry in static
        for gpu in [_gpu(entry, memory.get(_index(entry)), processes.get(_index(entry)))]
        if not only_shows_a_desktop(
            gpu["architecture"], gpu["pci_device_id"], number(at(entry, "asic", "num_compute_units"))
        )
    ]
    versions = [text_at(entry, "driver", "version") or text_at(entry, "driver", "driver_version") for entry in static]
    return {"version": next(filter(None, versions), None), "gpus": gpus}


def _gpu(entry: t.Any, memory: t.Any, processes: t.Any) -> Device:
    vendor, chip_id = number(at(entry, "asic", "vendor_id")), number(at(entry, "asic", "device_id"))
    pci_device_id = f"{vendor or 0x1002:04x}:{chip_id:04x}" if chip_id else None
    serial = number(at(entry, "asic", "asic_serial"))
    chip = text_at(entry, "asic", "target_graphics_version")
    usage = at(memory, "mem_usage")
    total = size(at(usage, "total_vram")) or size(at(entry, "vram", "size"))
    used = size(at(usage, "used_vram"))
    unified = is_apu(chip, pci_device_id)
    shared = size(at(usage, "total_gtt")) if unified else None
    if shared and total is not None:
        shared_used = size(at(usage, "used_gtt"))
        total, used = total + shared, None if used is None or shared_used is None else used + shared_used
    return device(
        index=_index(entry),
        uuid=f"GPU-{serial:016x}" if serial else None,
        name=text_at(entry, "asic", "market_name"),
        vendor="amd",
        pci_device_id=pci_device_id,
        pci_bus_id=bus_id(text_at(entry, "bus", "bdf")),
        architecture=chip,
        memory_total_bytes=total or None,
        memory_free_bytes=free_bytes(total or None, 0, used),
        memory_shared_bytes=shared,
        unified_memory=unified,
        ecc={"ENABLED": True, "DISABLED": False}.get((text_at(entry, "ras", "ecc_block_state", "UMC") or "").upper()),
        processes=_processes(processes),
        source="amd-smi",
    )


def _processes(entry: t.Any) -> list[dict[str, t.Any]]:
    found = {}
    listed = at(entry, "process_list")
    for item in listed if isinstance(listed, list) else []:
        pid = number(at(item, "process_info", "pid"))
        if pid:  # without processes, process_info is a sentence
            found[pid] = size(at(item, "process_info", "memory_usage", "vram_mem"))
    return [process(pid, found[pid]) for pid in sorted(found)]


def _entries(value: t.Any) -> list[t.Any]:
    if isinstance(value, dict):
        value = value.get("gpu_data")
    if not isinstance(value, list):
        raise Unreadable("printed no list of GPUs")
    return [entry for entry in value if isinstance(entry, dict) and number(entry.get("gpu")) is not None]


def _index(entry: t.Any) -> int:
    return number(entry["gpu"]) or 0


def _by_gpu(value: t.Any) -> dict[int, t.Any]:
    return {_index(entry): entry for entry in _entries(value)}
