# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast the host reads weights for llama.cpp: from RAM, and from disk what RAM cannot keep."""

from __future__ import annotations

import dataclasses

from ..contract.host import Cpu, InferenceHost
from .calibration import CALIBRATED, Calibration
from .memory_channels import memory_bandwidth
from .rates import Basis, Range, duration, rate

# A CPU about which nothing is known: two channels of DDR5-4800, as a desktop has; with more RAM than a desktop takes,
# a server with eight channels of DDR4-3200.
_ASSUMED_DESKTOP = 76.8e9
_ASSUMED_SERVER = 204.8e9
_DESKTOP_RAM = 200 << 30
# What a benchmark that only reads has measured, llama.cpp reaches more of than of a data sheet's figure.
_MEASURED_SHARE = 0.9
# Of a further socket's memory a thread on the first sees little: weights lie on one node or spread over all.
_NEXT_SOCKET = 0.4
# One core: values of a quantised matrix that it unpacks and multiplies with one token, and its arithmetic in a batch.
# Between Haswell (15e9, 24e9) and Zen 4 (45e9, 75e9).
_VALUES_PER_CORE = 25e9
_FLOPS_PER_CORE = 45e9
_CORE_FACTOR = 1.8
_ASSUMED_CORES = 8

# Page faults of mapped files reach half of what a disk reads in one stream. Where no rate is told, one between a SATA SSD
# and an NVMe drive is assumed.
_DISK_SHARE = 0.5
_DISK_FACTOR = 1.8
_ASSUMED_DISK = 1e9
_ASSUMED_DISK_FACTOR = 4.0


@dataclasses.dataclass(frozen=True, slots=True)
class HostRates:
    """Bytes per second read of RAM and of disk, seconds per step of all threads, arithmetic, and times between devices.

    `values` is how many quantised values per second all cores together multiply with one token: few cores cannot keep up
    with their memory. `hop` is seconds for handing a token from device to device, `sample` seconds for each logit.
    `basis` says whether the memory's rate is known, `disk_basis` whether the disk's is.
    """

    read: Range
    values: Range
    step: Range
    flops: Range
    disk: Range
    hop: Range
    sample: Range
    basis: Basis
    disk_basis: Basis


def host_rates(host: InferenceHost | None, calibration: Calibration = CALIBRATED) -> HostRates:
    """Return the rates of a host. A measured bandwidth counts; else memory channels by the CPU's model; else a guess."""
    cpu = host.cpu if host else None
    bandwidth, doubt = _bandwidth(host, calibration)
    cores = _cores(cpu)
    disk, disk_factor, disk_basis = _disk(host)
    spread = calibration.spread
    return HostRates(
        read=rate(bandwidth, spread**doubt),
        values=rate(cores * _VALUES_PER_CORE, _CORE_FACTOR),
        step=duration(calibration.host_step, spread**2),
        flops=rate(cores * _FLOPS_PER_CORE, calibration.batch_spread**1.5),
        disk=rate(disk * _DISK_SHARE, disk_factor),
        hop=duration(calibration.hop, spread**3),
        sample=duration(calibration.sample, spread**3),
        basis="calibrated" if doubt < 3 else "roofline",
        disk_basis=disk_basis,
    )


def _bandwidth(host: InferenceHost | None, calibration: Calibration) -> tuple[float, float]:
    """Return the bytes per second that llama.cpp reads on all sockets, and how many spreads it may be off."""
    cpu = host.cpu if host else None
    if cpu is not None and cpu.bandwidth_bytes_per_second:
        return cpu.bandwidth_bytes_per_second * _MEASURED_SHARE, 1.5
    sockets = (cpu and cpu.sockets) or 1
    together = (1 + _NEXT_SOCKET * (sockets - 1)) * calibration.host_read_share
    socket = memory_bandwidth(cpu.model) if cpu is not None and cpu.model else None
    if socket is not None:
        return socket * together, 2.0
    server = host is not None and host.memory.total_bytes > _DESKTOP_RAM
    return (_ASSUMED_SERVER if server else _ASSUMED_DESKTOP) * together, 4.0


def _cores(cpu: Cpu | None) -> int:
    """Return the cores that can compute: a container or a virtual machine may have fewer threads than the CPU has cores."""
    told = [number for number in (cpu and cpu.physical_cores, cpu and cpu.usable_threads) if number]
    return min(told, default=_ASSUMED_CORES)


def _disk(host: InferenceHost | None) -> tuple[float, float, Basis]:
    known = [store.read_bytes_per_second for store in (host.storage if host else []) if store.read_bytes_per_second]
    return (max(known), _DISK_FACTOR, "calibrated") if known else (_ASSUMED_DISK, _ASSUMED_DISK_FACTOR, "roofline")
