# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The GPU inside an NVIDIA Tegra chip (Jetson), which is on no PCI bus and often told by no tool."""

from __future__ import annotations

from ..host_files import Files
from .device import Device, device

# Compute capability by chip (NVIDIA, CUDA GPU compute capability): TX1, TX2, Xavier, Orin, Thor.
_CHIPS = {
    "nvidia,tegra210": "5.3",
    "nvidia,tegra186": "6.2",
    "nvidia,tegra194": "7.2",
    "nvidia,tegra234": "8.7",
    "nvidia,tegra264": "11.0",
}


def read(files: Files) -> Device | None:
    """Return the GPU of a Tegra machine, None elsewhere; its memory is the host's."""
    compatible = (files.data("/proc/device-tree/compatible", limit=4096) or b"").decode("ascii", "replace").split("\0")
    capability = next((_CHIPS[name] for name in compatible if name in _CHIPS), None)
    if capability is None:
        return None
    return device(
        name=files.text("/proc/device-tree/model"),
        vendor="nvidia",
        compute_capability=capability,
        unified_memory=True,
        source="device-tree",
    )
