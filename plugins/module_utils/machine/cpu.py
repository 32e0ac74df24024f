# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processors: model, sockets, cores without hyper-threads, and how many of them this process may use."""

from __future__ import annotations

import os
import platform
import typing as t

from ..host_files import Files, integer_set
from . import cgroup, numa

_CPUS = "/sys/devices/system/cpu"
# Instruction sets that ggml has kernels for (ggml-cpu).
_FLAGS = frozenset(
    {"avx", "avx2", "avx_vnni", "f16c", "fma", "bmi2"}
    | {"avx512f", "avx512bw", "avx512vl", "avx512_vbmi", "avx512_vnni", "avx512_bf16"}
    | {"amx_tile", "amx_int8", "amx_bf16"}
    | {"asimd", "asimddp", "asimdhp", "i8mm", "sve", "sve2", "sme"}
)
# Arm's and others' part numbers (MIDR) that machines with GPUs are built of.
_ARM_PARTS = {
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd83"): "Neoverse-V3AE",
    ("0x41", "0xd84"): "Neoverse-V3",
    ("0x41", "0xd85"): "Cortex-X925",
    ("0x41", "0xd87"): "Cortex-A725",
    ("0xc0", "0xac3"): "Ampere-1",
}


def read(files: Files) -> dict[str, t.Any]:
    """Return `cpu` of the contract, its bandwidth unknown."""
    online = integer_set(files.text(_CPUS, "online"))
    sockets = {files.integer(_CPUS, f"cpu{number}/topology/physical_package_id") for number in online} - {None}
    blocks = _blocks(files)
    return {
        "model": _model(files, blocks),
        "sockets": len(sockets) or None,
        "physical_cores": len(_cores(files, online)) or None,
        "performance_cores": len(_cores(files, integer_set(files.text("/sys/devices/cpu_core/cpus")))) or None,
        "threads": len(online) or sum("processor" in block for block in blocks) or None,
        "usable_threads": _usable(files),
        "numa_nodes": numa.read(files) or None,
        "flags": _flags(blocks),
        "bandwidth_bytes_per_second": None,
        "source": None,
    }


def _cores(files: Files, cpus: t.Sequence[int]) -> set[str]:
    """Return the cores of CPUs, each as the list of its hyper-threads."""
    lists = (files.text(_CPUS, f"cpu{number}/topology/thread_siblings_list") for number in cpus)
    return {siblings for siblings in lists if siblings}


def _usable(files: Files) -> int | None:
    """Return the CPUs that this process may run on, cut to its cgroup's quota."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except OSError:
        return None
    quota = cgroup.cpu_quota(files)
    return min(allowed, max(1, int(quota))) if quota else allowed


def _blocks(files: Files) -> list[dict[str, str]]:
    """Return the entries of /proc/cpuinfo."""
    text = files.text("/proc/cpuinfo", limit=8 * 2**20) or ""
    blocks = []
    for part in text.split("\n\n"):
        pairs = (line.partition(":") for line in part.splitlines())
        blocks.append({key.strip(): value.strip() for key, _colon, value in pairs})
    return blocks


def _model(files: Files, blocks: list[dict[str, str]]) -> str | None:
    first = next((block for block in blocks if block), {})
    for key in ("model name", "cpu model", "cpu"):
        if first.get(key):
            return first[key]
    parts = {
        _ARM_PARTS[part]: None
        for block in blocks
        for part in [(block.get("CPU implementer", ""), block.get("CPU part", ""))]
        if part in _ARM_PARTS
    }
    return " + ".join(parts) or files.text("/proc/device-tree/model") or platform.machine() or None


def _flags(blocks: list[dict[str, str]]) -> list[str] | None:
    words = next(
        (block.get("flags") or block.get("Features") or block.get("features") for block in blocks if block), None
    )
    return sorted(_FLAGS.intersection(words.split())) if words else None
