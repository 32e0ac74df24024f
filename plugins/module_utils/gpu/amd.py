# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AMD GPUs: amd-smi, else rocm-smi, else what the kernel shows; the kernel fills in what the tools leave out."""

from __future__ import annotations

import functools
import typing as t

from ..bounded import Broken
from ..host_files import Files
from . import amd_kernel, amd_smi, pci, rocm_smi
from .device import fill
from .tools import Tools


def read(files: Files, tools: Tools, cards: t.Sequence[pci.Card]) -> dict[str, t.Any]:
    """Return `{driver, gpus, problems}`."""
    kernel, problems = amd_kernel.read(files, cards)
    driver = {"version": amd_kernel.driver_version(files)}
    for name, source in (("amd-smi", amd_smi), ("rocm-smi", rocm_smi)):
        path = tools.find(name)
        if path is None:
            continue
        try:
            reading = source.read(functools.partial(tools.run, path))
        except (Broken, source.Unreadable) as broken:
            problems.append(f"{name} {broken}")
            continue
        if reading["gpus"]:
            known = {gpu["pci_bus_id"]: gpu for gpu in kernel}
            gpus = [
                fill(gpu, known[gpu["pci_bus_id"]]) if gpu["pci_bus_id"] in known else gpu for gpu in reading["gpus"]
            ]
            return {"driver": {"version": reading["version"] or driver["version"]}, "gpus": gpus, "problems": problems}
    return {"driver": driver, "gpus": kernel, "problems": problems}
