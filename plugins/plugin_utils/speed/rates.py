# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a GPU really works for llama.cpp: what its data sheet says, times the calibrated shares."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..contract.host import Gpu
from .calibration import CALIBRATED, Calibration

Basis = t.Literal["calibrated", "roofline"]
Launching = t.Literal["graph", "stream", "hip"]

# Index into a Range: what is slow is slow in every part at once.
SLOW, EXPECTED, FAST = 0, 1, 2
PACES = (SLOW, EXPECTED, FAST)

# CUDA graphs: `ggml_cuda_graph_set_enabled` of llama.cpp 0.7.0 wants Volta or newer.
_GRAPHS_SINCE = (7, 0)
# Ada boosts to 2.5 GHz and more, Ampere and Turing to 1.7 to 1.9 GHz.
_FAST_CLOCK_SINCE = (8, 9)

# Dense FP16 tensor arithmetic per byte of bandwidth, by generation: what is assumed where no figure is known (data
# sheets of T4, V100, A100, A6000, L40S, H100, RTX PRO 6000). Before tensor cores: 8-bit dot products of P40 per byte.
_FLOPS_PER_BYTE: tuple[tuple[tuple[int, int], float], ...] = (
    ((12, 0), 260),
    ((9, 0), 330),
    ((8, 9), 400),
    ((8, 6), 190),
    ((8, 0), 165),
    ((7, 5), 200),
    ((7, 0), 130),
    ((6, 1), 70),
    ((0, 0), 25),
)
# RX 7900 XTX and MI300X with matrix units; GCN without.
_FLOPS_PER_BYTE_AMD = 125.0
_FLOPS_PER_BYTE_GCN = 26.0
_FLOPS_PER_BYTE_UNKNOWN = 60.0

# A GPU whose bandwidth nobody tells, in bytes per second: between a laptop's and a workstation's.
_ASSUMED_BANDWIDTH = 300e9

# One direction of a PCIe lane in bytes per second, by generation.
_PCIE_LANE = {1: 0.25e9, 2: 0.5e9, 3: 0.985e9, 4: 1.969e9, 5: 3.938e9, 6: 7.563e9}
_ASSUMED_PCIE = (3, 16)

# A laptop's maker chooses power and clocks, so that one name stands for GPUs of very different speed.
_LAPTOP = re.compile(r"\b(Laptop|Mobile)\b|Max-Q Design", re.IGNORECASE)
_GCN = re.compile(r"\bMI(25|50|60)\b|Radeon (Pro )?VII|Vega", re.IGNORECASE)
_STACKED_AMD = re.compile(r"\bMI\d+|Radeon (Pro )?VII", re.IGNORECASE)


class Range(t.NamedTuple):
    """A figure at the three paces: slow, expected, fast."""

    slow: float
    expected: float
    fast: float


def rate(expected: float, factor: float) -> Range:
    """Return a rate that may be off by a factor either way."""
    return Range(expected / factor, expected, expected * factor)


def duration(expected: float, factor: float) -> Range:
    """Return a time that may be off by a factor either way; the slow pace is the longer one."""
    return Range(expected * factor, expected, expected / factor)


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceRates:
    """Bytes per second read of weights and of the cache, seconds per launch, arithmetic, bytes per second uploaded.

    Batches are launched one kernel at a time, whatever single tokens are. `unpack_bytes` is added to the bytes of each
    quantised value; for `half_width` and `expert_tile` see Calibration. `basis`: whether GPUs of this kind were calibrated on.
    """

    read: Range
    cache_read: Range
    launch: Range
    batch_launch: Range
    flops: Range
    upload: Range
    unpack_bytes: float
    half_width: float
    expert_tile: float
    basis: Basis


def device_rates(gpu: Gpu, calibration: Calibration = CALIBRATED, launching: Launching | None = None) -> DeviceRates:
    """Return the rates of a GPU; one about which nothing is known gets wide ranges and the basis roofline.

    :param launching: how kernels are launched, where that differs from what llama.cpp 0.7.0 does on this GPU.
    """
    capability = _capability(gpu)
    known = gpu.bandwidth_bytes_per_second is not None and (capability is not None or gpu.vendor == "amd")
    basis: Basis = "calibrated" if known else "roofline"
    bandwidth = gpu.bandwidth_bytes_per_second or _ASSUMED_BANDWIDTH
    laptop = bool(_LAPTOP.search(gpu.name or ""))
    # a rule carried over to a kind of GPU that was not measured, and a bandwidth that is a guess
    doubt = 1 + laptop if known else 2 if gpu.bandwidth_bytes_per_second else 6
    spread = calibration.spread**doubt
    share = calibration.stacked_read_share if _stacked(gpu, capability) else calibration.read_share
    launches = {"graph": calibration.graph_launch, "stream": calibration.stream_launch, "hip": calibration.hip_launch}
    launching = launching or _launching(gpu, capability)
    slow = capability is not None and (capability < _FAST_CLOCK_SINCE or _stacked(gpu, capability))
    if launching == "graph" and (slow or laptop):
        launches["graph"] *= calibration.slow_clock
    flops = gpu.fp16_flops or bandwidth * _flops_per_byte(gpu, capability)
    batch_spread = calibration.batch_spread ** (doubt if gpu.fp16_flops else doubt + 0.5)
    return DeviceRates(
        read=rate(bandwidth * share, spread),
        cache_read=rate(bandwidth * calibration.cache_share, spread**1.5),
        launch=duration(launches[launching], spread**2),
        batch_launch=duration(launches["hip" if launching == "hip" else "stream"], spread**2),
        flops=rate(flops * calibration.flops_share, batch_spread),
        upload=rate(_pcie(gpu) * calibration.upload_share, calibration.batch_spread),
        unpack_bytes=calibration.unpack_bytes,
        half_width=calibration.half_width,
        expert_tile=calibration.expert_tile,
        basis=basis,
    )


def _capability(gpu: Gpu) -> tuple[int, int] | None:
    if gpu.vendor != "nvidia" or gpu.compute_capability is None:
        return None
    major, minor = gpu.compute_capability.split(".")
    return int(major), int(minor)


def _stacked(gpu: Gpu, capability: tuple[int, int] | None) -> bool:
    """Tell whether the memory is HBM: NVIDIA's x.0 chips before the 11th generation, AMD's Instincts."""
    if capability is not None:
        return (capability[1] == 0 and capability[0] < 11) or capability == (10, 3)
    return gpu.vendor == "amd" and bool(_STACKED_AMD.search(gpu.name or ""))


def _launching(gpu: Gpu, capability: tuple[int, int] | None) -> Launching:
    if gpu.vendor != "nvidia":
        return "hip"
    return "stream" if capability is not None and capability < _GRAPHS_SINCE else "graph"


def _flops_per_byte(gpu: Gpu, capability: tuple[int, int] | None) -> float:
    if capability is not None:
        return next(figure for since, figure in _FLOPS_PER_BYTE if capability >= since)
    if gpu.vendor == "amd":
        return _FLOPS_PER_BYTE_GCN if _GCN.search(gpu.name or "") else _FLOPS_PER_BYTE_AMD
    return _FLOPS_PER_BYTE_UNKNOWN


def _pcie(gpu: Gpu) -> float:
    """Return the bytes per second of the link at its best; it rests at a lower generation when idle."""
    if gpu.unified_memory:
        return gpu.bandwidth_bytes_per_second or _ASSUMED_BANDWIDTH
    link = gpu.pcie
    generation = (link and (link.maximum_generation or link.generation)) or _ASSUMED_PCIE[0]
    width = (link and (link.maximum_width or link.width)) or _ASSUMED_PCIE[1]
    return _PCIE_LANE.get(generation, _PCIE_LANE[3]) * width
