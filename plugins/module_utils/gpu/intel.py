# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Intel GPUs with memory of their own (Arc, Flex, Max), as the i915 and xe kernel drivers show them in sysfs.

Graphics inside Intel CPUs are left out: they read the memory that the CPU reads as fast.
"""

from __future__ import annotations

import typing as t

from ..host_files import Files
from . import pci
from .device import Device, device

_DRIVERS = ("i915", "xe")
_INSIDE_THE_CPU = "0000:00:02.0"


def read(files: Files, cards: t.Sequence[pci.Card]) -> dict[str, t.Any]:
    """Return `{driver, gpus, problems}`."""
    gpus: list[Device] = []
    problems = []
    for card in cards:
        if card.vendor != pci.INTEL or card.bus_id == _INSIDE_THE_CPU or card.driver not in _DRIVERS:
            continue
        total, free = _memory(files, card)
        if total is None:
            problems.append(
                f"the driver {card.driver} does not tell the memory of the Intel GPU {card.bus_id}"
                f" ({card.pci_device_id}): it is taken from the catalog where that knows the card"
            )
        gpus.append(
            device(
                index=len(gpus),
                vendor="intel",
                pci_device_id=card.pci_device_id,
                pci_bus_id=card.bus_id,
                memory_total_bytes=total,
                memory_free_bytes=free,
                unified_memory=False,
                source="sysfs",
            )
        )
    return {"driver": {"version": files.text("/proc/sys/kernel/osrelease")}, "gpus": gpus, "problems": problems}


def _memory(files: Files, card: pci.Card) -> tuple[int | None, int | None]:
    """Return total and free bytes: i915 tells both in the folder of its DRM card, xe the size of each tile."""
    for name in files.names(card.path, "drm"):
        total = files.integer(card.path, "drm", name, "lmem_total_bytes")
        if total:
            return total, files.integer(card.path, "drm", name, "lmem_avail_bytes")
    tiles = [
        files.integer(card.path, name, "physical_vram_size_bytes")
        for name in files.names(card.path)
        if name.startswith("tile")
    ]
    return sum(tile or 0 for tile in tiles) or None, None
