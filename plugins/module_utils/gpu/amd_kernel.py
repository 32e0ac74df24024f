# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AMD GPUs as the amdgpu kernel driver shows them in sysfs."""

from __future__ import annotations

import typing as t

from ..host_files import Files
from . import pci
from .amd_chips import architecture, is_apu, only_shows_a_desktop, shares_everything
from .device import Device, device, free_bytes, process

_TOPOLOGY = "/sys/class/kfd/kfd/topology/nodes"
_PROCESSES = "/sys/class/kfd/kfd/proc"


def read(files: Files, cards: t.Sequence[pci.Card]) -> tuple[list[Device], list[str]]:
    """Return the GPUs in order of PCI address, and what is wrong with others."""
    nodes = _compute_nodes(files)
    gpus: list[Device] = []
    problems = []
    for card in cards:
        if card.vendor != pci.AMD or not (files.exists(card.path, "mem_info_vram_total") or card.driver is None):
            continue
        if card.driver is None:
            problems.append(f"no driver is bound to the AMD GPU {card.bus_id} ({card.pci_device_id}): load amdgpu")
            continue
        if not (files.exists("/dev/kfd") or files.names("/dev/dri")):
            problems.append(
                f"the AMD GPU {card.bus_id} cannot be opened, there is no /dev/kfd or /dev/dri:"
                " pass these devices into the container"
            )
            continue
        node = nodes.get(card.bus_id, {})
        chip = architecture(node.get("gfx_target_version"))
        units = node["simd_count"] // (node.get("simd_per_cu") or 1) if node.get("simd_count") else None
        if not only_shows_a_desktop(chip, card.pci_device_id, units):
            gpus.append(_gpu(files, card, len(gpus), chip, node.get("gpu_id")))
    return gpus, problems


def driver_version(files: Files) -> str | None:
    """Return the version of amdgpu: AMD's own, or the kernel's it came with."""
    if not files.exists("/sys/module/amdgpu"):
        return None
    return files.text("/sys/module/amdgpu/version") or files.text("/proc/sys/kernel/osrelease")


def _gpu(files: Files, card: pci.Card, index: int, chip: str | None, gpu_id: int | None) -> Device:
    total, used = files.integer(card.path, "mem_info_vram_total"), files.integer(card.path, "mem_info_vram_used")
    unified = is_apu(chip, card.pci_device_id)
    shared = None
    if shares_everything(card.pci_device_id):
        shared = total
    elif unified:
        # The driver hands out host memory (GTT) where the memory set aside by the firmware does not suffice.
        shared, shared_used = (
            files.integer(card.path, "mem_info_gtt_total"),
            files.integer(card.path, "mem_info_gtt_used"),
        )
        if shared and total is not None:
            total, used = total + shared, None if used is None or shared_used is None else used + shared_used
    unique = files.text(card.path, "unique_id")
    return device(
        index=index,
        uuid=f"GPU-{unique}" if unique else None,
        name=files.text(card.path, "product_name") or None,
        vendor="amd",
        pci_device_id=card.pci_device_id,
        pci_bus_id=card.bus_id,
        numa_node=card.numa_node,
        architecture=chip,
        memory_total_bytes=total or None,
        memory_free_bytes=free_bytes(total or None, 0, used),
        memory_shared_bytes=shared,
        unified_memory=unified,
        pcie=pci.link(files, card),
        processes=_processes(files, gpu_id),
        source="sysfs",
    )


def _compute_nodes(files: Files) -> dict[str, dict[str, int]]:
    """Return the properties of the compute driver's GPUs by PCI address."""
    nodes = {}
    for name in files.names(_TOPOLOGY):
        table = files.table(_TOPOLOGY, name, "properties")
        properties = {key: int(value) for key, value in table.items() if value.isdigit() and len(value) < 20}
        location = properties.get("location_id")
        if properties.get("simd_count") and location is not None:
            address = f"{properties.get('domain', 0):04x}:{location >> 8:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"
            gpu_id = files.integer(_TOPOLOGY, name, "gpu_id")
            nodes[address] = dict(properties, **({"gpu_id": gpu_id} if gpu_id else {}))
    return nodes


def _processes(files: Files, gpu_id: int | None) -> list[dict[str, t.Any]]:
    found = []
    if gpu_id is not None:
        for name in files.names(_PROCESSES):
            used = files.integer(_PROCESSES, name, f"vram_{gpu_id}")
            if name.isdigit() and used:
                found.append(process(int(name), used))
    return sorted(found, key=lambda entry: entry["pid"])
