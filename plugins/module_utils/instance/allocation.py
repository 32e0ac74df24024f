# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The buffers that llama.cpp says it allocated, read from what it prints while it loads a model.

It prints them with a verbosity of 4 or more: `llama_kv_cache:      CUDA0 KV buffer size =  1024.00 MiB`. A projector's buffers
are not counted: `alloc_compute_meta:      CUDA0 compute buffer size =   248.10 MiB` (clip.cpp), since a plan counts it by itself.
"""

from __future__ import annotations

import re
import typing as t

MIB = 2**20

_LINE = re.compile(r"(\S+) +(model|KV|RS|compute|output) buffer size *= *(\d+(?:\.\d+)?) MiB")
_PROJECTOR = "alloc_compute_meta:"
_KINDS = {
    "model": "weights_bytes",
    "KV": "kv_bytes",
    "RS": "kv_bytes",
    "compute": "compute_bytes",
    "output": "output_bytes",
}
# A device is a backend with a number, as CUDA0 or Vulkan1; CPU, CPU_Mapped, CUDA_Host and the like are memory of the host.
_DEVICE = re.compile(r"[A-Za-z]+\d+")


class Allocation(t.NamedTuple):
    """Bytes by kind, of each device in order of its first buffer, and of the host."""

    devices: list[dict[str, t.Any]]
    host: dict[str, int]


def read(log: t.Iterable[str]) -> Allocation | None:
    """Return what one start of a server allocated, None where its log tells no buffer."""
    devices: dict[str, dict[str, int]] = {}
    host: dict[str, int] = {}
    for line in log:
        found = _LINE.search(line)
        if not found or _PROJECTOR in line:
            continue
        place, kind, size = found.groups()
        device = _DEVICE.match(place)
        held = devices.setdefault(device[0], {}) if device else host
        # A cache with sliding windows is two, and weights may lie in several buffers
        held[_KINDS[kind]] = held.get(_KINDS[kind], 0) + round(float(size) * MIB)
    if not devices and not host:
        return None
    kinds = list(dict.fromkeys(_KINDS.values()))
    return Allocation(
        [
            {"device": name, **{kind: held.get(kind, 0) for kind in kinds if kind != "output_bytes"}}
            for name, held in devices.items()
        ],
        {kind: host.get(kind, 0) for kind in kinds},
    )
