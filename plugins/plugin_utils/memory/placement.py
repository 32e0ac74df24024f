# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which device holds which layer.

A layer is a block of the model; the output is one more layer after the last block. Devices are indices into the GPUs
that the launch uses; the host is `HOST`. Source: `llama_model::load_tensors` of llama.cpp 0.7.0.
"""

from __future__ import annotations

import struct
import typing as t

HOST = -1

# How llama.cpp's builds call their devices. A host is driven by one of them, so that the number alone says which GPU.
BACKENDS = ("CUDA", "ROCm", "SYCL", "Vulkan")


def device_position(name: str, n_gpus: int) -> int | None:
    """Return which of a host's GPUs a device's name such as CUDA0 means, or None where it has no such device."""
    for backend in BACKENDS:
        number = name.removeprefix(backend)
        if number != name and number.isdecimal() and int(number) < n_gpus:
            return int(number)
    return None


def float32(value: float) -> float:
    """Return `value` as a C float holds it: llama.cpp splits in single precision, and layers at a border depend on it."""
    return struct.unpack("f", struct.pack("f", value))[0]


def cumulative_split(shares: t.Sequence[float]) -> tuple[float, ...]:
    """Return the upper end of each device's share of the layers, the last one being 1, in single precision."""
    sums = []
    total = 0.0
    for share in shares:
        total = float32(total + float32(share))
        sums.append(total)
    return tuple(float32(value / total) for value in sums) if total > 0 else tuple(sums)


def layer_devices(n_layer: int, n_gpu_layers: int | None, split: t.Sequence[float]) -> tuple[int, ...]:
    """Return the device of each of `n_layer` blocks and, last, of the output.

    :param n_gpu_layers: blocks and output to put on GPUs, the last ones first; None is all of them.
    :param split: from `cumulative_split`; empty when there is no GPU.
    """
    total = n_layer + 1
    offloaded = total if n_gpu_layers is None else min(max(n_gpu_layers, 0), total)
    if not split or not offloaded:
        return (HOST,) * total
    first = total - offloaded
    last_device = len(split) - 1
    devices = [HOST] * first
    device = 0
    for position in range(offloaded):
        share = float32(position / offloaded)
        # the first device whose share ends beyond this position
        while device < last_device and split[device] <= share:
            device += 1
        devices.append(device)
    return tuple(devices)
