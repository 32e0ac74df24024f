# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NUMA nodes of the host, less those that are the memory of a GPU."""

from __future__ import annotations

import typing as t

from ..host_files import Files, integer_set
from ..processes import kibibytes

_NODES = "/sys/devices/system/node"
_NVIDIA_GPUS = "/proc/driver/nvidia/gpus"


def read(files: Files) -> list[dict[str, t.Any]]:
    """Return the nodes of the CPUs; what is free of each would make no two looks at a host equal."""
    of_gpus = gpu_nodes(files)
    nodes = [_node(files, number) for number in _numbers(files) if number not in of_gpus]
    return [{key: node[key] for key in ("node", "cpus", "memory_total_bytes")} for node in nodes]


def gpu_memory(files: Files) -> list[dict[str, t.Any]]:
    """Return the nodes that are the memory of a GPU.

    GH200 and GB200 add the GPU's memory to the kernel's: it is in MemTotal, and it is the GPU's.
    """
    of_gpus = gpu_nodes(files)
    return [_node(files, number) for number in _numbers(files) if number in of_gpus]


def gpu_nodes(files: Files) -> set[int]:
    """Return the numbers of the nodes that NVIDIA's driver has put online for its GPUs."""
    nodes = set()
    for name in files.names(_NVIDIA_GPUS):
        status = files.table(_NVIDIA_GPUS, name, "numa_status")
        if status.get("Node", "").isdigit():
            nodes.add(int(status["Node"]))
    return nodes


def _numbers(files: Files) -> list[int]:
    return integer_set(files.text(_NODES, "online"))


def _node(files: Files, number: int) -> dict[str, t.Any]:
    path = f"{_NODES}/node{number}"
    # Lines read "Node 0 MemTotal:  24684084 kB".
    lines = (line.split(None, 2)[-1].partition(":") for line in (files.text(path, "meminfo") or "").splitlines())
    table = {key.strip(): value.strip() for key, _colon, value in lines}
    return {
        "node": number,
        "cpus": files.text(path, "cpulist") or None,
        "memory_total_bytes": kibibytes(table.get("MemTotal")),
        "memory_free_bytes": kibibytes(table.get("MemFree")),
    }
