# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a process takes on a GPU beside llama.cpp's own buffers. The figures are the engine's data, by GPU family.

`memory_free_bytes` of a GPU is what a new process can be handed, before its own CUDA context.
"""

from __future__ import annotations

import functools
import typing as t

from ..catalog import access
from ..contract.memory import Basis


class Overhead(t.NamedTuple):
    """One thing that is there beside the buffers."""

    what: str
    bytes: int
    basis: Basis


@functools.cache
def overhead_lines(engine: str, compute_capability: str | None) -> tuple[Overhead, ...]:
    """Return what a GPU in use holds beside the buffers; `compute_capability` None is a GPU that is not NVIDIA's, or unknown."""
    data = access.engine(engine)["gpu_overhead"]
    measured = data["context_bytes_by_capability"].get(compute_capability)
    major = int((compute_capability or "0").partition(".")[0])
    from_major = data["cublas_large_from_capability"]
    workspace = data["cublas_large_bytes" if major >= from_major else "cublas_bytes"]
    return (
        Overhead("CUDA context", measured or data["context_bytes"], "measured" if measured else "assumed"),
        Overhead("cuBLAS workspace", workspace, "formula"),
        Overhead("CUDA memory pool", data["pool_bytes"], "measured"),
    )


@functools.cache
def pool_growth_bytes(engine: str) -> int:
    """Return what CUDA's memory pool was seen to grow by at most, beyond what `overhead_lines` counts."""
    data = access.engine(engine)["gpu_overhead"]
    return int(data["pool_most_bytes"]) - int(data["pool_bytes"])
