# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which nodes of a cluster can run a plan, and what they call their GPUs.

Labels are those of NVIDIA's GPU feature discovery and of AMD's node labeller: memory and compute capability decide, not the
product's name.
"""

from __future__ import annotations

import functools
import math
import re
import typing as t

from ..catalog import access as catalog
from ..catalog.hosts import USABLE_SHARE
from ..contract.base import ContractError
from ..contract.host import InferenceHost
from ..contract.plan import Plan, PlanDevice
from ..units import GIB, gib

MIB = 1 << 20

# GPUs of a major version that a build with a minimum within it does not serve, by GPU feature discovery's family.
FAMILY_BELOW = {"7.5": "volta"}

# A mapping of labels: {label: {operator: value}}
Rules = dict[str, dict[str, t.Any]]


class Node(t.NamedTuple):
    """What a pod asks of a node. `resource` is None for a plan without GPU; `told` says why, a text for each part."""

    resource: str | None
    gpus: int
    requirements: Rules
    tolerations: dict[str, dict[str, str]]
    groups: list[int]
    told: str
    resource_told: str


def node(plan: Plan, host: InferenceHost | None) -> Node:
    """Return what a plan asks of a node.

    :param host: the machine that the plan was made for, to know MIG slices and the driver's version.
    :raises ContractError: for a backend whose GPUs Kubernetes has no resource for.
    """
    devices = plan.memory.devices if plan.memory else []
    backend = plan.engine.backend
    if not devices or backend == "cpu":
        return Node(None, 0, {}, {}, [], "no GPU is needed", "")
    least_mib = math.ceil(max(device.total_bytes + _kept_bytes(device, host) for device in devices) / MIB)
    if backend in ("cuda12", "cuda13"):
        return _nvidia(plan, devices, host, least_mib)
    if backend == "rocm":
        return _amd(devices, least_mib)
    if backend == "sycl":
        told = "Intel's device plugin labels no memory: choose nodes by nodeSelector"
        return Node("gpu.intel.com/xe", len(devices), {}, _tolerations("gpu.intel.com/xe"), [], told, _count(devices))
    raise ContractError(
        f"plan: Kubernetes has no resource for GPUs of the backend {backend}; plan for a host of one vendor"
    )


def _kept_bytes(device: PlanDevice, host: InferenceHost | None) -> int:
    """Return what the driver keeps of a card's memory, which labels count in. Not known without the host."""
    gpu = host.gpus[device.index] if host and device.index < len(host.gpus) else None
    if gpu is None or not gpu.memory_total_bytes or gpu.memory_free_bytes is None:
        return 0
    # On a machine in use, others hold memory too; those are elsewhere when a pod has the card.
    return min(gpu.memory_total_bytes - gpu.memory_free_bytes, int(gpu.memory_total_bytes * (1 - USABLE_SHARE)))


def _nvidia(plan: Plan, devices: list[PlanDevice], host: InferenceHost | None, least_mib: int) -> Node:
    data = _backend(plan.engine.version, plan.engine.backend)
    minimum = data["minimum_capability"]
    major = int(minimum.split(".")[0])
    driver, driver_told = _driver(data, host)
    rules: Rules = {
        "nvidia.com/gpu.memory": {"Gt": str(least_mib - 1)},
        "nvidia.com/gpu.compute.major": {"Gt": str(major - 1)},
    }
    if minimum in FAMILY_BELOW:
        rules["nvidia.com/gpu.family"] = {"NotIn": [FAMILY_BELOW[minimum]]}
    rules["nvidia.com/cuda.driver-version.major"] = {"Gt": str(driver - 1)}
    rules["nvidia.com/gpu.sharing-strategy"] = {"NotIn": ["time-slicing", "mps"]}
    told = (
        f"labels of NVIDIA's GPU feature discovery. memory: {_largest(devices)} and what the driver keeps, in MiB."
        f" compute.major: {plan.engine.backend} serves {minimum} and newer. driver: {driver_told}."
        " sharing: a shared GPU has less memory than its label says"
    )
    resource, profile = "nvidia.com/gpu", _mig(devices, host)
    if profile:
        resource = f"nvidia.com/mig-{profile.replace('+', '.')}"
        rules["nvidia.com/gpu.memory"] = {"Exists": True}
        told = f"{told}; slices are chosen by their profile, {profile}"
    return Node(resource, len(devices), rules, _tolerations("nvidia.com/gpu"), [], told, _count(devices))


@functools.cache
def _backend(version: str, name: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", catalog.engine(version)["backends"][name])


def _driver(data: dict[str, t.Any], host: InferenceHost | None) -> tuple[int, str]:
    """Return the least major version of the driver, and why: the toolkit's own, or the one that is known to do."""
    wanted = int(data["driver"].split(".")[0])
    known = re.match(r"\d+", (host and host.driver and host.driver.version) or "")
    if known and int(known[0]) < wanted:
        least = int(data["minor_version_driver"].split(".")[0])
        return least, (
            f"by CUDA's minor version compatibility {least} does for CUDA {data['toolkit']}, as on the planned host,"
            " in a container only without its cuda-compat folder"
        )
    return wanted, f"CUDA {data['toolkit']} wants {data['driver']}"


def _mig(devices: list[PlanDevice], host: InferenceHost | None) -> str | None:
    gpus = host.gpus if host else []
    profiles = {gpus[d.index].mig.profile for d in devices if d.index < len(gpus) and gpus[d.index].mig}  # type: ignore[union-attr]
    return profiles.pop() if len(profiles) == 1 else None


def _amd(devices: list[PlanDevice], least_mib: int) -> Node:
    sizes = [size for size in _amd_sizes_gib() if size * 1024 >= least_mib]
    # The labeller rounds down what the driver reports: an MI300X is 191G or 192G.
    labels = [f"{label}G" for size in sizes for label in (size - 1, size)]
    rules: Rules = {"amd.com/gpu.vram": {"In": labels}} if labels else {}
    told = (
        f"labels of AMD's node labeller, which are text: the sizes that suffice for {_largest(devices)}."
        " podSecurityContext.supplementalGroups: video and render own /dev/kfd; render's number differs between nodes"
        " (109 on Ubuntu 22.04, 992 on 24.04)"
    )
    return Node("amd.com/gpu", len(devices), rules, _tolerations("amd.com/gpu"), [44, 109, 992], told, _count(devices))


@functools.cache
def _amd_sizes_gib() -> list[int]:
    entries = [catalog.gpu(name) for name in catalog.names("gpu")]
    return sorted({entry["memory"]["nominal_bytes"] // GIB for entry in entries if entry["vendor"] == "amd"})


def _tolerations(key: str) -> dict[str, dict[str, str]]:
    return {"gpu": {"key": key, "operator": "Exists", "effect": "NoSchedule"}}


def _largest(devices: list[PlanDevice]) -> str:
    return f"{gib(max(device.total_bytes for device in devices))} GiB that the plan holds on a GPU"


def _count(devices: list[PlanDevice]) -> str:
    each = " + ".join(gib(device.total_bytes) for device in devices)
    return f"GPUs of the plan: {len(devices)}, holding {each} GiB"
