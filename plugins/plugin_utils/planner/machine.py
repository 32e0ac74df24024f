# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host as the planner counts it: devices of one vendor with what they can hand out, RAM, and disk.

Rounding keeps plans still: free memory jitters by a few MiB between two looks, so a device's free memory is taken in
whole steps of 32 MiB and RAM in steps of 256 MiB, rounded down.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ..catalog import access as catalog
from ..contract.host import Gpu, InferenceHost, Instance
from ..contract.request import Reserve

VRAM_STEP = 32 << 20
RAM_STEP = 256 << 20

# What llama.cpp calls the devices of each vendor, in the backend that the collection picks for it.
DEVICE_PREFIX = {"nvidia": "CUDA", "amd": "ROCm", "intel": "SYCL", "other": "Vulkan"}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Device:
    """One GPU that a plan may use, compared by identity. `index` is its place in the host's list; `free_bytes` what it can hand out."""

    index: int
    gpu: Gpu
    free_bytes: int

    @property
    def likeness(self) -> tuple[object, ...]:
        """Return what a plan depends on: devices that are alike can stand for each other."""
        gpu = self.gpu
        return (
            self.free_bytes,
            gpu.name,
            gpu.compute_capability,
            gpu.unified_memory,
            gpu.bandwidth_bytes_per_second,
            gpu.fp16_flops,
            gpu.basis,
            bool(gpu.mig),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """A host reduced to what bounds a plan. `ram_bytes` and `disk_bytes` are what a plan may take; unknown is None."""

    host: InferenceHost
    vendor: str | None
    devices: tuple[Device, ...]
    ram_bytes: int
    disk_bytes: int | None
    warnings: tuple[str, ...]

    @property
    def shares_memory(self) -> bool:
        """Whether GPU and host draw on the same memory, so that each byte counts against both."""
        return any(device.gpu.unified_memory for device in self.devices)

    def part(self, devices: tuple[Device, ...], ram_bytes: int) -> Machine:
        """Return the machine as if it had these of its devices, and so much RAM to use."""
        vendor = self.vendor if devices else None
        return dataclasses.replace(self, vendor=vendor, devices=devices, ram_bytes=ram_bytes // RAM_STEP * RAM_STEP)

    @property
    def groups(self) -> list[tuple[Device, ...]]:
        """Return the devices that one process can use together: all whole cards, and each MIG slice for itself.

        CUDA gives a process one slice at most, whatever it is told to see.
        """
        whole = tuple(device for device in self.devices if not device.gpu.mig)
        return [*([whole] if whole else []), *((device,) for device in self.devices if device.gpu.mig)]

    @property
    def signature(self) -> tuple[object, ...]:
        """Return what a plan depends on: machines with equal signatures get the same plan."""
        # A plan names devices by their place in the host's list.
        gpus = tuple((device.index, device.likeness) for device in self.devices)
        disks = tuple(storage.read_bytes_per_second for storage in self.host.storage)
        cpu, driver = self.host.cpu, self.host.driver
        places = {device.gpu.uuid: device.index for device in self.devices if device.gpu.uuid}
        installed = tuple((i.name, i.plan_id, i.request_id, _places(i, places)) for i in self.host.instances)
        return (
            self.vendor,
            gpus,
            self.ram_bytes,
            self.disk_bytes,
            disks,
            cpu and cpu.model_dump_json(),
            driver and driver.version,
            installed,
            self.host.measured and self.host.measured.model_dump_json(),
            self.warnings,
        )


def machine(host: InferenceHost, reserve: Reserve, replaces: str | t.Container[str] | None = None) -> Machine:
    """Reduce a host to what a plan can use.

    :param replaces: names of the instances that the plan takes the place of, whose memory counts as free; None counts
        every instance of this collection as free.
    """
    names = [replaces] if isinstance(replaces, str) else replaces
    instances = [i for i in host.instances if names is None or i.name in names]
    units = {instance.unit for instance in instances if instance.unit}
    warnings = []
    devices: list[Device] = []
    for index, gpu in enumerate(host.gpus):
        if gpu.memory_free_bytes is None:
            warnings.append(f"GPU {index} ({gpu.name or 'unnamed'}) is left out: its free memory is not known")
            continue
        if _is_taken(gpu, units):
            warnings.append(
                f"GPU {index} ({gpu.name or 'unnamed'}) is left out: it is in compute mode exclusive-process, and another"
                " process uses it"
            )
            continue
        free = gpu.memory_free_bytes + sum(_held(instance, gpu, len(host.gpus)) for instance in instances)
        if gpu.memory_total_bytes is not None:
            free = min(free, gpu.memory_total_bytes)
        devices.append(Device(index, _completed(gpu), free // VRAM_STEP * VRAM_STEP))
    vendor = _largest_vendor(devices)
    others = [device for device in devices if device.gpu.vendor != vendor]
    if others:
        warnings.append(
            f"{len(others)} GPU(s) of another vendor than {vendor} are left out: one engine build drives one vendor"
        )
    available = host.memory.total_bytes if host.memory.available_bytes is None else host.memory.available_bytes
    available = min(available + sum(i.host_memory_bytes or 0 for i in instances), host.memory.total_bytes)
    ram = max(0, available - reserve.ram(host.memory.total_bytes)) // RAM_STEP * RAM_STEP
    known = [storage.free_bytes for storage in host.storage if storage.free_bytes is not None]
    return Machine(
        host=host,
        vendor=vendor,
        devices=tuple(device for device in devices if device.gpu.vendor == vendor),
        ram_bytes=ram,
        disk_bytes=max(known) if known else None,
        warnings=tuple(warnings),
    )


def _completed(gpu: Gpu) -> Gpu:
    """Return the GPU with what its driver does not tell taken from the catalog: rates and compute capability.

    A MIG slice keeps what it has, since the catalog knows whole cards.
    """
    known = {} if gpu.mig else _in_catalog(gpu.name, gpu.pci_device_id, gpu.memory_total_bytes)
    missing = {key: value for key, value in known.items() if getattr(gpu, key) is None}
    return gpu.model_copy(update=missing) if missing else gpu


@functools.lru_cache(maxsize=64)  # a fleet has few kinds of GPU, in great number
def _in_catalog(name: str | None, pci_device_id: str | None, memory_total_bytes: int | None) -> dict[str, t.Any]:
    entry = catalog.gpu_by_name(name, pci_device_id, memory_total_bytes)
    if entry is None:
        return {}
    return {
        "bandwidth_bytes_per_second": entry["bandwidth_bytes_per_second"],
        "compute_capability": entry["compute_capability"],
        "fp16_flops": (entry["flops"] or {}).get("fp16_tensor"),
    }


def _places(instance: Instance, places: dict[str, int]) -> tuple[int | None, ...]:
    """Return the places of an instance's devices in the host's list."""
    held = instance.gpu_memory_bytes if isinstance(instance.gpu_memory_bytes, list) else []
    return tuple(places.get(part.uuid or "") for part in held)


def _held(instance: Instance, gpu: Gpu, gpus: int) -> int:
    """Return what an instance holds on this GPU; a bare total belongs to the only GPU there is."""
    held = instance.gpu_memory_bytes
    if isinstance(held, int):
        return held if gpus == 1 else 0
    return sum(part.bytes for part in held or () if part.uuid is not None and part.uuid == gpu.uuid)


def _is_taken(gpu: Gpu, units: t.Container[str]) -> bool:
    """Whether a GPU lets no process in beside one that is there to stay."""
    return gpu.compute_mode == "exclusive-process" and any(process.unit not in units for process in gpu.processes)


def _largest_vendor(devices: list[Device]) -> str | None:
    """Return the vendor with the most free memory; in a draw the first in the list."""
    totals: dict[str, int] = {}
    for device in devices:
        totals[device.gpu.vendor] = totals.get(device.gpu.vendor, 0) + device.free_bytes
    return max(totals, key=totals.__getitem__, default=None)
