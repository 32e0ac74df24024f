# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a launch has besides its layout: name and port, threads for what the CPU computes, room for the prompt cache."""

from __future__ import annotations

from ..contract.launch import Launch
from ..contract.request import FitRequest
from .machine import Machine
from .search import Found

# llama-server's own limit for the prompt cache in MiB of RAM, and what it is lowered to where RAM is short.
PROMPT_CACHES = (8192, 4096, 2048, 1024, 512)


def finish(place: Machine, found: Found, wish: FitRequest) -> Launch:
    """Return the launch of a found layout, complete."""
    cpu = place.host.cpu
    left_mib = max(0, place.ram_bytes - found.ram_bytes_at_most) >> 20
    cache = next((size for size in PROMPT_CACHES if size <= left_mib), 0)
    return found.launch.model_copy(
        update={
            "alias": wish.name,
            "port": wish.port,
            "mmproj": wish.mmproj.files[0].path if wish.mmproj else None,
            "threads": cpu.physical_cores if cpu and found.placement != "gpu" else None,
            "cache_ram": None if cache == PROMPT_CACHES[0] else cache,
        }
    )
