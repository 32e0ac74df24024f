# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`inference_host`: what is known of one machine that shall serve models."""

from __future__ import annotations

import typing as t

from .._pydantic import Field
from .base import Contract
from .launch import Launch
from .measured import Measured

Vendor = t.Literal["nvidia", "amd", "intel", "other"]
Bytes = t.Annotated[int, Field(ge=0)]
PositiveBytes = t.Annotated[int, Field(gt=0)]
Rate = t.Annotated[float, Field(gt=0)]


class Process(Contract):
    """A process that holds memory of a GPU."""

    pid: int
    memory_bytes: Bytes | None = None
    unit: str | None = None
    name: str | None = None


class Mig(Contract):
    """A slice of a GPU in MIG mode: its profile, such as 1g.24gb, and the card it is cut from."""

    profile: str | None = None
    parent_uuid: str | None = None


class Pcie(Contract):
    """The PCIe link of a GPU: generation and width now, and the largest that card and slot can do."""

    generation: int | None = None
    width: int | None = None
    maximum_generation: int | None = None
    maximum_width: int | None = None


class Gpu(Contract):
    """One GPU, or one MIG slice: a device that llama.cpp can be given.

    `memory_free_bytes` is what a new process can be handed: total less what the driver keeps less what is in use.
    `memory_shared_bytes` is the part of the total that is the host's RAM too. `bandwidth_bytes_per_second` and
    `fp16_flops` are the highest rates. `basis` says how the memory is known: read from the machine (null too), or
    assumed for a machine out of the catalog.
    """

    index: int = Field(default=0, ge=0)
    uuid: str | None = None
    name: str | None = None
    vendor: Vendor = "other"
    pci_device_id: str | None = None
    pci_bus_id: str | None = None
    numa_node: int | None = None
    compute_capability: str | None = Field(default=None, pattern=r"^\d+\.\d+$")
    architecture: str | None = None
    memory_total_bytes: Bytes | None = None
    memory_reserved_bytes: Bytes | None = None
    memory_free_bytes: Bytes | None = None
    memory_shared_bytes: Bytes | None = None
    unified_memory: bool | None = None
    bandwidth_bytes_per_second: Rate | None = None
    fp16_flops: Rate | None = None
    ecc: bool | None = None
    mig: Mig | None = None
    virtualization: str | None = None
    compute_mode: str | None = None
    clocks_limited_by: list[t.Literal["power", "thermal", "power-brake", "hardware"]] | None = None
    pcie: Pcie | None = None
    nvlink: list[str] | None = None
    c2c: bool | None = None
    processes: list[Process] = []
    source: str | None = None
    basis: t.Literal["measured", "assumed"] | None = None


class Driver(Contract):
    """The GPU driver: `version` such as 580.95.05, `cuda_version` the newest CUDA it can serve, such as 13.0."""

    vendor: Vendor | None = None
    version: str | None = None
    cuda_version: str | None = None


class NumaNode(Contract):
    """One NUMA node of the machine."""

    node: int
    memory_total_bytes: Bytes | None = None
    memory_free_bytes: Bytes | None = None
    cpus: str | None = None


class Cpu(Contract):
    """The processors: cores without hyper-threads, and the memory bandwidth of all sockets together."""

    model: str | None = None
    sockets: int | None = Field(default=None, gt=0)
    physical_cores: int | None = Field(default=None, gt=0)
    performance_cores: int | None = Field(default=None, gt=0)
    threads: int | None = Field(default=None, gt=0)
    usable_threads: int | None = Field(default=None, gt=0)
    numa_nodes: list[NumaNode] | None = None
    flags: list[str] | None = None
    bandwidth_bytes_per_second: Rate | None = None
    source: str | None = None


class HostMemory(Contract):
    """RAM as this machine (or container) may use it; `available_bytes` absent means nothing else runs there."""

    total_bytes: PositiveBytes
    available_bytes: Bytes | None = None
    limit_bytes: Bytes | None = None
    huge_pages_bytes: Bytes | None = None


class Storage(Contract):
    """A folder that models are read from."""

    path: str
    free_bytes: Bytes | None = None
    total_bytes: Bytes | None = None
    filesystem: str | None = None
    read_bytes_per_second: Rate | None = None
    source: str | None = None


class DeviceMemory(Contract):
    """Memory that an instance holds on one GPU."""

    uuid: str | None = None
    bytes: Bytes


class Instance(Contract):
    """A llama-server of this collection that runs on the host; what it holds counts as free for its own successor.

    `gpu_memory_bytes` has its devices in the order that `launch` names them. `request_id`, `model`, `quant` and `launch`
    are those of the plan that it was installed from.
    """

    name: str
    plan_id: str | None = None
    request_id: str | None = None
    model: str | None = None
    quant: str | None = None
    launch: Launch | None = None
    unit: str | None = None
    gpu_memory_bytes: list[DeviceMemory] | Bytes | None = None
    host_memory_bytes: Bytes | None = None
    active: bool | None = None


class InferenceHost(Contract):
    """Everything that a plan needs to know of a machine. Only `gpus` and `memory` are needed; unknown is null."""

    gathered_at: str | None = None
    name: str | None = None
    gpus: list[Gpu]
    driver: Driver | None = None
    cpu: Cpu | None = None
    memory: HostMemory
    storage: list[Storage] = []
    instances: list[Instance] = []
    measured: Measured | None = None
    problems: list[str] = []
