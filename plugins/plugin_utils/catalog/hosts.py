# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Catalog entries as the contract's `inference_host`: machines to plan for that nobody has started yet.

All memory here is `assumed`: what a new process will find free is known only on the running machine.
"""

from __future__ import annotations

import re
import typing as t

from . import access

# Of a GPU whose driver's total or reserve nobody has reported: T4 to B200 keep 1 to 3 % for driver and firmware.
USABLE_SHARE = 0.97

# Linux keeps a 64-byte `struct page` for each 4 KiB page of RAM: one part in 64 is never available.
_PAGE_TABLE_SHARE = 64
# What an idle server with a container runtime uses besides.
_OPERATING_SYSTEM_BYTES = 1 << 30

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{prefix}ib": 1 << 10 * power for power, prefix in enumerate("kmgt", 1)}
_UNITS |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)}


def gpu(name: str, index: int = 0) -> dict[str, t.Any]:
    """Return one entry of the contract's `gpus` for a GPU of the catalog, named as its driver names it.

    :raises CatalogError: for a GPU that the catalog does not have.
    """
    entry = access.gpu(name)
    memory = entry["memory"]
    total_bytes = memory["total_bytes"] or memory["nominal_bytes"]
    if memory["total_bytes"] and memory["reserved_bytes"]:
        free_bytes = total_bytes - memory["reserved_bytes"]
        known = "its driver's total less its driver's reserve"
    else:
        free_bytes = int(total_bytes * USABLE_SHARE)
        known = f"{USABLE_SHARE:.0%} of its memory"
    pcie = entry["pcie"]
    flops = entry["flops"] or {}
    return {
        "index": index,
        "name": (entry["reported_names"] or [entry["name"]])[0],
        "vendor": entry["vendor"],
        "memory_total_bytes": total_bytes,
        "memory_free_bytes": free_bytes,
        "memory_reserved_bytes": memory["reserved_bytes"],
        "memory_shared_bytes": total_bytes if entry["unified_memory"] else None,
        "compute_capability": entry["compute_capability"],
        "architecture": entry["gfx_target"],
        "pci_device_id": (entry["pci_device_ids"] or [None])[0],
        "unified_memory": entry["unified_memory"],
        "bandwidth_bytes_per_second": entry["bandwidth_bytes_per_second"],
        "fp16_flops": flops.get("fp16_tensor"),
        "pcie": pcie and {"maximum_generation": pcie["generation"], "maximum_width": pcie["lanes"]},
        "source": f"catalog entry {entry['id']}; free memory is {known}",
        "basis": "assumed",
    }


def server(name: str, memory: int | str | None = None) -> dict[str, t.Any]:
    """Return the contract's `inference_host` for a server of the catalog.

    :param memory: RAM of the machine, in bytes or as text with a unit (`256 GiB`). It is needed where the catalog does not
        know it, and overrides the catalog where a server is sold with several sizes.
    :raises CatalogError: for a server that the catalog does not have, or whose RAM must be said and is not.
    """
    entry = access.server(name)
    total_bytes = entry["memory_bytes"] if memory is None else _bytes(memory)
    if total_bytes is None:
        raise access.CatalogError(
            f"the RAM of server '{entry['id']}' is not known; say it with memory, such as memory='256 GiB'"
        )
    available_bytes = max(0, total_bytes - total_bytes // _PAGE_TABLE_SHARE - _OPERATING_SYSTEM_BYTES)
    source = f"catalog entry {entry['id']}"
    return {
        "name": entry["id"],
        "gpus": [gpu(entry["gpu"], index) for index in range(entry["gpu_count"])],
        "cpu": {**entry["cpu"], "source": source},
        "memory": {"total_bytes": total_bytes, "available_bytes": available_bytes},
    }


def _bytes(size: int | str) -> int:
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]{0,3})\s*", str(size).lower())
    if isinstance(size, bool) or not match or match[2] not in _UNITS:
        raise access.CatalogError("memory is a number of bytes or text with a unit, such as '256 GiB'")
    found = int(float(match[1]) * _UNITS[match[2]])
    if not 1 << 28 <= found <= 1 << 50:
        raise access.CatalogError("memory is too small or too large for a machine; a number without a unit is in bytes")
    return found


def server_names(memory_is_given: bool = False) -> list[str]:
    """Return the ids of the servers that a host can be made of: those whose RAM the catalog knows, or all."""
    return [name for name in access.names("server") if memory_is_given or access.server(name)["memory_bytes"] is not None]
