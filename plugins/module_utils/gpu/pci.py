# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Display controllers and accelerators as the PCI bus shows them in sysfs."""

from __future__ import annotations

import os
import typing as t

from ..host_files import Files
from .device import pcie

DEVICES = "/sys/bus/pci/devices"
NVIDIA, AMD, INTEL = 0x10DE, 0x1002, 0x8086
_DISPLAY, _ACCELERATOR = 0x03, 0x12  # base classes; AMD's and Habana's compute cards are accelerators
# GT/s of a lane by PCIe generation.
_GENERATIONS = {"2.5": 1, "5.0": 2, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6}


class Card(t.NamedTuple):
    """A GPU on the bus. `path` is its folder in sysfs, `driver` the kernel driver bound to it."""

    bus_id: str
    path: str
    vendor: int
    pci_device_id: str
    driver: str | None
    numa_node: int | None


def cards(files: Files) -> list[Card]:
    """Return every GPU on the bus, in order of address."""
    found = []
    for name in files.names(DEVICES):
        path = f"{DEVICES}/{name}"
        base_class = (files.integer(path, "class") or 0) >> 16
        vendor, number = files.integer(path, "vendor"), files.integer(path, "device")
        if base_class in (_DISPLAY, _ACCELERATOR) and vendor and number:
            node = files.integer(path, "numa_node")
            found.append(
                Card(
                    bus_id=name,
                    path=path,
                    vendor=vendor,
                    pci_device_id=f"{vendor:04x}:{number:04x}",
                    driver=files.link(path, "driver"),
                    numa_node=node if node is not None and node >= 0 else None,
                )
            )
    return found


def link(files: Files, card: Card) -> dict[str, int | None] | None:
    """Return the narrowest link between a card and its root port.

    Many cards carry a bridge: their own end of it always shows the full link, whatever slot the card sits in.
    """
    ports = [card.path]
    real = os.path.realpath(files.path(card.path))
    while os.path.basename(os.path.dirname(real)).count(":") == 2:
        real = os.path.dirname(real)
        ports.append(f"{DEVICES}/{os.path.basename(real)}")
    return pcie(
        generation=_least(_generation(files.text(port, "current_link_speed")) for port in ports),
        width=_least(files.integer(port, "current_link_width") for port in ports),
        maximum_generation=_least(_generation(files.text(port, "max_link_speed")) for port in ports),
        maximum_width=_least(files.integer(port, "max_link_width") for port in ports),
    )


def _least(values: t.Iterable[int | None]) -> int | None:
    """Return the least of what is known; a port without a link tells 0."""
    return min((value for value in values if value), default=None)


def _generation(text: str | None) -> int | None:
    """Return 4 from `16.0 GT/s PCIe`."""
    return _GENERATIONS.get((text or "").partition(" ")[0])
