# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape of one entry of `gpus`, and of what a probe returns."""

from __future__ import annotations

import typing as t

Device = dict[str, t.Any]

# In the order people read them; None is unknown.
_EMPTY: Device = {
    "index": 0,
    "uuid": None,
    "name": None,
    "vendor": "other",
    "pci_device_id": None,
    "pci_bus_id": None,
    "numa_node": None,
    "compute_capability": None,
    "architecture": None,
    "memory_total_bytes": None,
    "memory_reserved_bytes": None,
    "memory_free_bytes": None,
    "memory_shared_bytes": None,
    "unified_memory": None,
    "bandwidth_bytes_per_second": None,
    "ecc": None,
    "mig": None,
    "virtualization": None,
    "compute_mode": None,
    "clocks_limited_by": None,
    "pcie": None,
    "nvlink": None,
    "c2c": None,
    "processes": [],
    "source": None,
}


def device(**known: t.Any) -> Device:
    """Return an entry of `gpus` with every key, unknown ones None."""
    unknown = set(known) - set(_EMPTY)
    if unknown:
        raise KeyError(f"not a key of a GPU: {sorted(unknown)}")
    return {**_EMPTY, "processes": [], **known}


def fill(entry: Device, other: Device) -> Device:
    """Return `entry` with what it does not know taken from `other`, a reading of the same GPU."""
    return {key: other[key] if value in (None, []) else value for key, value in entry.items()}


def free_bytes(total: int | None, reserved: int | None, used: int | None) -> int | None:
    """Return what the driver can hand out: total less what it keeps for itself less what is in use.

    Drivers before 510 count what they keep as used and tell no `reserved`.
    """
    if total is None or used is None:
        return None
    return max(total - (reserved or 0) - used, 0)


def bus_id(text: str | None) -> str | None:
    """Return a PCI address in the kernel's form, such as 0000:c1:00.0, from any tool's form."""
    domain, _colon, rest = (text or "").strip().lower().partition(":")
    try:
        number = int(domain, 16)
    except ValueError:
        return None
    return f"{number:04x}:{rest}" if rest.count(":") == 1 and "." in rest else None


def pci_id(combined: int | None) -> str | None:
    """Return a PCI id such as 10de:2330 from NVIDIA's number, the device in its upper half (0x233010DE)."""
    return None if not combined else f"{combined & 0xFFFF:04x}:{combined >> 16:04x}"


def pcie(
    generation: int | None, width: int | None, maximum_generation: int | None, maximum_width: int | None
) -> dict[str, int | None] | None:
    """Return the link of a GPU: now (an idle card slows its link down), and the most that card and slot can do."""
    link = {
        "generation": generation,
        "width": width,
        "maximum_generation": maximum_generation,
        "maximum_width": maximum_width,
    }
    return link if any(link.values()) else None


def process(pid: int, memory_bytes: int | None) -> dict[str, t.Any]:
    """Return an entry of `processes`; who it is, is told by the host and added later."""
    return {"pid": pid, "name": None, "unit": None, "memory_bytes": memory_bytes}
