# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What NVIDIA's error numbers mean to the person who has to act.

nvmlReturn_t (nvml.h) and nvidia-smi's exit codes are the same numbers.
"""

from __future__ import annotations

NOT_SUPPORTED = 3
INSUFFICIENT_SIZE = 7
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
LIB_RM_VERSION_MISMATCH = 18
UNKNOWN = 999

# Whatever was asked, this answer says that nothing can run on the GPU.
GONE = (GPU_IS_LOST, RESET_REQUIRED)

_MEANING = {
    1: "the NVIDIA library could not be initialised: reinstall the driver",
    4: "this user may not open the NVIDIA devices: run as root, or allow the user to read and write /dev/nvidia*",
    6: "the NVIDIA driver runs but finds no GPU: check with lspci that the card is there, and the kernel log"
    " (journalctl -k -g NVRM) for why the driver left it out",
    8: "a GPU lacks power: connect its external power cables",
    9: "the NVIDIA driver is not loaded: install it, or load it with modprobe nvidia; after a kernel update rebuild the"
    " module (dkms autoinstall) or reboot, with Secure Boot sign it",
    10: "the NVIDIA driver did not answer in time: look for NVRM and Xid lines in the kernel log",
    11: "the NVIDIA driver has an interrupt problem with a GPU: look for NVRM lines in the kernel log",
    12: "the NVIDIA library libnvidia-ml.so.1 is missing or cannot be loaded: install the driver's library package in"
    " the version of the kernel module",
    13: "the NVIDIA library is too old for what was asked: update the driver",
    14: "the infoROM of a GPU is corrupted: the card needs service",
    15: "has fallen off the bus: reboot; if it comes back, look for Xid 79 in the kernel log and check power,"
    " temperature and seating",
    16: "must be reset before it can be used: stop what uses it and run nvidia-smi --gpu-reset, or reboot",
    17: "the operating system refused the NVIDIA driver access to a GPU: in a container, pass the GPU devices in",
    18: "the NVIDIA kernel module and library have different versions, as after a driver update: reboot, or reload"
    " the module",
    999: "does not answer the driver: look for NVRM and Xid lines in the kernel log, then reset it or reboot",
}


def meaning(number: int) -> str:
    """Return what an error number says: of the driver, or after "GPU 3" of one GPU."""
    return _MEANING.get(number, f"the NVIDIA driver reports error {number}: see nvmlReturn_t in NVIDIA's nvml.h")


def is_number(number: int) -> bool:
    """Say whether an exit code of nvidia-smi is one of these numbers."""
    return number in _MEANING
