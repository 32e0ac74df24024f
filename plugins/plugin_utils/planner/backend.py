# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which build of the engine runs on a machine: compute capability, driver and CUDA go together.

The rules are data of the engine version (`catalog/data/engines`): the least compute capability that a CUDA build
serves, the driver that its toolkit needs, and the capabilities it holds machine code for. Machine code also runs on an
older driver of the same CUDA generation; other capabilities are compiled from PTX by a driver that knows the toolkit.
"""

from __future__ import annotations

import typing as t

from ..contract.plan import Backend, PlanEngine
from .machine import Machine

OTHER_VENDORS: dict[str | None, Backend] = {
    "amd": "rocm",
    "intel": "sycl",
    "other": "vulkan",
    None: "cpu",
}

# Newest first.
CUDA: tuple[Backend, ...] = ("cuda13", "cuda12")


class BackendError(ValueError):
    """No build of the engine runs with this driver."""


def backend(machine: Machine, engine: dict[str, t.Any]) -> tuple[PlanEngine, list[str]]:
    """Return the build for this machine's devices, and what to know about it.

    :param engine: an engine's data, of the catalog.
    :raises BackendError: where every build needs a newer driver; names the version needed.
    """
    if machine.vendor != "nvidia":
        return _engine(engine, OTHER_VENDORS[machine.vendor]), []
    capabilities = [_version(device.gpu.compute_capability or "") for device in machine.devices]
    oldest = min((c for c in capabilities if c), default=())
    builds: list[Backend] = [
        name for name in CUDA if oldest >= _version(engine["backends"][name]["minimum_capability"])
    ]
    if not oldest:
        builds = list(CUDA)
    if not builds:
        shown = ".".join(map(str, oldest))
        raise BackendError(f"no CUDA build of llama.cpp {engine['version']} serves compute capability {shown}")
    driver = (machine.host.driver and machine.host.driver.version) or ""
    version = _version(driver)
    if not version:
        return _engine(engine, builds[0]), ["the driver version is not known: the build assumes a recent one"]
    for name in builds:
        if version >= _version(engine["backends"][name]["driver"]):
            return _engine(engine, name), []
    for name in builds:
        data = engine["backends"][name]
        if version >= _version(data["minor_version_driver"]) and set(capabilities) <= _machine_code(data):
            return _engine(engine, name), [
                f"driver {driver} is older than CUDA {data['toolkit']} wants ({data['driver']}):"
                " it runs by CUDA's minor version compatibility, in a container only without its cuda-compat folder"
            ]
    needed = engine["backends"][builds[-1]]["driver"]
    raise BackendError(
        f"driver {driver} is too old for llama.cpp {engine['version']} with CUDA; install {needed} or newer"
    )


def _machine_code(data: dict[str, t.Any]) -> set[tuple[int, ...]]:
    return {_version(capability) for capability in data["machine_code"]}


def _engine(engine: dict[str, t.Any], name: Backend) -> PlanEngine:
    return PlanEngine(version=engine["version"], backend=name, image=engine["backends"][name]["image"])


def _version(text: str) -> tuple[int, ...]:
    """Return a dotted version as numbers; empty for a text that is none."""
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()
