# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many bytes a tensor takes in a buffer, beyond its own.

Source: `get_alloc_size` and `get_alignment` of the CUDA and CPU buffer types of ggml 0.27.
"""

from __future__ import annotations

from ...module_utils.ggml_types import ggml_type, row_bytes
from .context import pad

CUDA_ALIGNMENT = 128
CPU_ALIGNMENT = 32
# measured: host memory that a GPU's driver hands out
PINNED_ALIGNMENT = 64
# CUDA's matrix kernels read rows of quantised weights in steps of this many elements
CUDA_ROW_ELEMENTS = 512


def cuda_bytes(size: int, type_name: str, row: int) -> int:
    """Return what a tensor of `size` bytes takes on a CUDA device; `row` is its ne0."""
    rest = row % CUDA_ROW_ELEMENTS
    if rest and ggml_type(type_name).block_elements > 1:
        size += row_bytes(type_name, CUDA_ROW_ELEMENTS - rest)
    return pad(size, CUDA_ALIGNMENT)
