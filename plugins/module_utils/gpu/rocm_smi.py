# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AMD GPUs as rocm-smi prints them: `{"card0": {label: text}, ...}`, labels differing between versions in case."""

from __future__ import annotations

import re
import typing as t

from .amd_chips import is_apu
from .device import Device, bus_id, device, free_bytes
from .json_output import Run, Unreadable, at, decode, number, text_at

__all__ = ["Unreadable", "read"]

_QUERY = (
    "--showproductname",
    "--showid",
    "--showuniqueid",
    "--showbus",
    "--showmeminfo",
    "vram",
    "--showdriverversion",
)


def read(run: Run) -> dict[str, t.Any]:
    """Return `{version, gpus}`; :raises Unreadable, Broken: rocm-smi did not work."""
    value = decode(run(*_QUERY, "--json"))
    if not isinstance(value, dict):
        raise Unreadable("printed no table of cards")
    names = sorted((name for name in value if re.fullmatch(r"card\d{1,4}", name)), key=lambda name: int(name[4:]))
    cards = [_labels(value[name]) for name in names]
    return {
        "version": text_at(_labels(value.get("system")), "driver version"),
        "gpus": [_gpu(index, card) for index, card in enumerate(cards)],
    }


def _gpu(index: int, card: dict[str, t.Any]) -> Device:
    total, used = number(at(card, "vram total memory (b)")), number(at(card, "vram total used memory (b)"))
    chip_id = number(at(card, "device id")) or number(at(card, "card model"))
    unique = number(at(card, "unique id"))
    pci_device_id = f"1002:{chip_id:04x}" if chip_id else None
    chip = text_at(card, "gfx version")
    return device(
        index=index,
        uuid=f"GPU-{unique:016x}" if unique else None,
        name=text_at(card, "card series") or text_at(card, "device name"),
        vendor="amd",
        pci_device_id=pci_device_id,
        pci_bus_id=bus_id(text_at(card, "pci bus")),
        architecture=chip,
        memory_total_bytes=total or None,
        memory_free_bytes=free_bytes(total or None, 0, used),
        unified_memory=is_apu(chip, pci_device_id) if chip else None,
        source="rocm-smi",
    )


def _labels(value: t.Any) -> dict[str, t.Any]:
    return {str(key).lower(): entry for key, entry in value.items()} if isinstance(value, dict) else {}
