# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AMD's chip names say: which GPUs sit inside a CPU and share its memory."""

from __future__ import annotations

# LLVM's AMDGPU processor table, "APU" column.
_APUS = frozenset(
    {"gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036", "gfx1037"}
    | {"gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"}
)
_MI300A = "1002:74a0"
# Desktop CPUs carry 2 compute units to show a desktop; the smallest that help with a model have 8.
_FEWEST_COMPUTE_UNITS = 8


def is_apu(architecture: str | None, pci_device_id: str | None) -> bool:
    """Say whether a GPU shares memory with the CPU it is built into."""
    return architecture in _APUS or pci_device_id == _MI300A


def shares_everything(pci_device_id: str | None) -> bool:
    """Say whether what the driver calls VRAM is the host's own memory (MI300A)."""
    return pci_device_id == _MI300A


def only_shows_a_desktop(architecture: str | None, pci_device_id: str | None, compute_units: int | None) -> bool:
    """Say whether a GPU inside a CPU is too small to compute on."""
    return is_apu(architecture, pci_device_id) and compute_units is not None and compute_units < _FEWEST_COMPUTE_UNITS


def architecture(version: int | None) -> str | None:
    """Return gfx90a from the kernel's gfx_target_version 90010 (two decimal digits each for minor and step)."""
    if not version:
        return None
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"
