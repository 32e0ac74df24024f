# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a process takes on a GPU beside llama.cpp's own buffers. Assumed, because it depends on card and driver.

`memory_free_bytes` of a GPU is what a new process can be handed, before its own CUDA context.
"""

from __future__ import annotations

MIB = 1 << 20

# Logs of idle cards print 105 to 560 MiB less free memory once a context exists.
CUDA_CONTEXT = 320 * MIB
# cuBLAS asks for 32 MiB from compute capability 9.0 on, else for 4.
CUBLAS_WORKSPACE = 4 * MIB
CUBLAS_WORKSPACE_HOPPER = 32 * MIB
# CUDA's memory pool grows while tokens are generated: a median of 144 MiB over a sweep of 100 loads, 432 at most.
POOL = 144 * MIB


def overhead_lines(compute_capability: str | None) -> tuple[tuple[str, int], ...]:
    """Return `(what, bytes)` of one GPU in use."""
    major = int((compute_capability or "0").partition(".")[0])
    workspace = CUBLAS_WORKSPACE_HOPPER if major >= 9 else CUBLAS_WORKSPACE
    return ("CUDA context", CUDA_CONTEXT), ("cuBLAS workspace", workspace), ("CUDA memory pool", POOL)


def overhead_bytes(compute_capability: str | None) -> int:
    """Return the bytes of all of them."""
    return sum(size for _what, size in overhead_lines(compute_capability))
