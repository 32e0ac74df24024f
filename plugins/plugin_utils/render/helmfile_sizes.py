# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory, storage and time a plan needs in a cluster.

Of a container's memory Kubernetes counts what is allocated and the pages of files alike, but the kernel takes file pages back
where it needs room: weights that stay in RAM need room on the node, and what does not fit is read again, not killed.
"""

from __future__ import annotations

import math
import typing as t

from ..contract.plan import Plan
from ..units import GIB, gib

MIB = 1 << 20

# What the program holds besides llama.cpp's buffers: its code, CUDA's host side, requests. Assumed, on the large side.
PROGRAM_BYTES = 2 * GIB
# llama-server's own default of --cache-ram, in MiB
PROMPT_CACHE_MIB = 8192

# Rates that a probe or a deadline must not be too strict for: the baseline of common network volumes is 125 MB/s (AWS gp3),
# and 200 Mbit/s is a slow line for a cluster. Both only bound how long somebody waits for what went wrong.
VOLUME_BYTES_PER_SECOND = 100_000_000
DOWNLOAD_BYTES_PER_SECOND = 25_000_000
# Compiling kernels for a GPU that the image holds no machine code for, and the first run
WARM_UP_SECONDS = 300

# Room for what CUDA compiles and for the file system itself
VOLUME_SPARE_BYTES = 2 * GIB
VOLUME_SPARE_SHARE = 0.05


class Memory(t.NamedTuple):
    """Host memory of a pod in bytes: what is allocated, and file pages that must stay for the plan's speed."""

    allocated_bytes: int
    page_cache_bytes: int
    told: str

    @property
    def request_mib(self) -> int:
        return math.ceil((self.allocated_bytes + self.page_cache_bytes) / MIB)


def memory(plan: Plan) -> Memory:
    """Return the memory of a plan's container. Read from disk, weights have whatever the node has free."""
    if plan.memory is None or plan.launch is None:
        raise ValueError("the plan has no memory")
    host = plan.memory.host
    cache_mib = PROMPT_CACHE_MIB if plan.launch.cache_ram is None else max(0, plan.launch.cache_ram)
    allocated = host.kv_bytes + host.compute_bytes + host.output_bytes + cache_mib * MIB + PROGRAM_BYTES
    mapped = plan.launch.load_mode in (None, "auto", "mmap", "mlock", "mmap+mlock")
    if not mapped:
        allocated += host.weights_bytes
    cached = host.weights_bytes if mapped and plan.placement != "disk" else 0
    parts = [
        f"allocated {gib(allocated)} GiB (buffers {gib(host.kv_bytes + host.compute_bytes + host.output_bytes)},"
        f" prompt cache {gib(cache_mib * MIB)}, program {gib(PROGRAM_BYTES)}"
        + ("" if mapped else f", weights {gib(host.weights_bytes)}")
        + ")"
    ]
    if cached:
        parts.append(f"page cache {gib(cached)} GiB (weights, mapped from the file)")
    elif mapped and plan.placement == "disk":
        parts.append(
            f"no limit, so that the page cache holds as much of {gib(host.weights_bytes)} GiB of weights as the node can"
        )
    return Memory(allocated, cached, "; ".join(parts))


def storage_gib(plan: Plan) -> int:
    """Return the size of a volume for the plan's files, in whole GiB."""
    return math.ceil((plan.requirements.disk_bytes * (1 + VOLUME_SPARE_SHARE) + VOLUME_SPARE_BYTES) / GIB)


def load_seconds(plan: Plan) -> int:
    """Return how long reading the model and getting ready may take."""
    return math.ceil(plan.model.bytes / VOLUME_BYTES_PER_SECOND) + WARM_UP_SECONDS


def download_seconds(plan: Plan) -> int:
    """Return how long the download may take."""
    return math.ceil(plan.model.bytes / DOWNLOAD_BYTES_PER_SECOND)
