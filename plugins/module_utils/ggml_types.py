# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats a GGUF file names by number: ggml's tensor types and llama.cpp's file types.

Sources: `enum ggml_type` and the block structures of ggml (`ggml/include/ggml.h`, `ggml/src/ggml-common.h`), `enum
llama_ftype` of llama.cpp (`include/llama.h`), as of llama.cpp 0.7.0.
"""

from __future__ import annotations

import typing as t


class GGMLType(t.NamedTuple):
    """A tensor format: rows are blocks of `block_elements` values that take `block_bytes` bytes each."""

    id: int
    name: str
    block_elements: int
    block_bytes: int


GGML_TYPES: tuple[GGMLType, ...] = (
    GGMLType(0, "F32", 1, 4),
    GGMLType(1, "F16", 1, 2),
    GGMLType(2, "Q4_0", 32, 18),
    GGMLType(3, "Q4_1", 32, 20),
    GGMLType(6, "Q5_0", 32, 22),
    GGMLType(7, "Q5_1", 32, 24),
    GGMLType(8, "Q8_0", 32, 34),
    GGMLType(9, "Q8_1", 32, 40),
    GGMLType(10, "Q2_K", 256, 84),
    GGMLType(11, "Q3_K", 256, 110),
    GGMLType(12, "Q4_K", 256, 144),
    GGMLType(13, "Q5_K", 256, 176),
    GGMLType(14, "Q6_K", 256, 210),
    GGMLType(15, "Q8_K", 256, 292),
    GGMLType(16, "IQ2_XXS", 256, 66),
    GGMLType(17, "IQ2_XS", 256, 74),
    GGMLType(18, "IQ3_XXS", 256, 98),
    GGMLType(19, "IQ1_S", 256, 50),
    GGMLType(20, "IQ4_NL", 32, 18),
    GGMLType(21, "IQ3_S", 256, 110),
    GGMLType(22, "IQ2_S", 256, 82),
    GGMLType(23, "IQ4_XS", 256, 136),
    GGMLType(24, "I8", 1, 1),
    GGMLType(25, "I16", 1, 2),
    GGMLType(26, "I32", 1, 4),
    GGMLType(27, "I64", 1, 8),
    GGMLType(28, "F64", 1, 8),
    GGMLType(29, "IQ1_M", 256, 56),
    GGMLType(30, "BF16", 1, 2),
    GGMLType(34, "TQ1_0", 256, 54),
    GGMLType(35, "TQ2_0", 256, 66),
    GGMLType(39, "MXFP4", 32, 17),
    GGMLType(40, "NVFP4", 64, 36),
    GGMLType(41, "Q1_0", 128, 18),
    GGMLType(42, "Q2_0", 64, 18),
)

GGML_TYPE_BY_ID: dict[int, GGMLType] = {entry.id: entry for entry in GGML_TYPES}
_BY_NAME = {entry.name: entry for entry in GGML_TYPES}

# Ids that old files hold and that llama.cpp no longer reads.
REMOVED_GGML_TYPES: dict[int, str] = {
    4: "Q4_2",
    5: "Q4_3",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}

# `general.file_type`: what llama-quantize was asked for. The tensors of one file have several types.
FILE_TYPES: dict[int, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
    39: "NVFP4",
    40: "Q1_0",
    41: "Q2_0",
}

# Set by llama.cpp beside the number when it had to guess it from the tensors.
_FILE_TYPE_GUESSED = 1024


def ggml_type(name: str) -> GGMLType:
    """The type called `name`, in any case (`Q4_K`, `q8_0`). Raises ValueError for a name ggml does not have."""
    try:
        return _BY_NAME[name.upper()]
    except KeyError:
        raise ValueError(f"{name!r} is not a ggml type; the types are {', '.join(sorted(_BY_NAME))}") from None


def row_bytes(name: str, elements: int) -> int:
    """Bytes of `elements` values in the type `name`, as `ggml_row_size`: rows are whole blocks.

    Raises ValueError for an unknown type and for a number of elements that leaves a block unfilled.
    """
    kind = ggml_type(name)
    blocks, rest = divmod(elements, kind.block_elements)
    if rest or blocks < 0:
        raise ValueError(f"a row of {elements} elements cannot be {kind.name}, whose blocks hold {kind.block_elements}")
    return blocks * kind.block_bytes


def tensor_bytes(name: str, shape: t.Sequence[int]) -> int:
    """Bytes of a tensor of the type `name` with the dimensions `shape` (ne0, the row, first), as `ggml_nbytes`.

    Raises ValueError as :func:`row_bytes` does. No dimensions at all are one element.
    """
    size = row_bytes(name, shape[0] if shape else 1)
    for dimension in shape[1:]:
        size *= dimension
    return size


def file_type_label(file_type: t.Any) -> str | None:
    """What `general.file_type` means (`15` is `Q4_K_M`), None when it is absent or unknown."""
    if not isinstance(file_type, int) or isinstance(file_type, bool):
        return None
    return FILE_TYPES.get(file_type & ~_FILE_TYPE_GUESSED)
