# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ggml's numbers, against the package that llama.cpp publishes them in."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils import ggml_types
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType


@pytest.mark.parametrize("published", GGMLQuantizationType, ids=lambda kind: kind.name)
def test_every_published_type_is_known_with_its_blocks(published):
    known = ggml_types.GGML_TYPE_BY_ID[published.value]
    assert (known.name, (known.block_elements, known.block_bytes)) == (
        published.name,
        GGML_QUANT_SIZES[published],
    )


def test_types_beyond_the_published_ones_are_newer():
    newest = max(kind.value for kind in GGMLQuantizationType)
    unpublished = {kind.id for kind in ggml_types.GGML_TYPES} - {kind.value for kind in GGMLQuantizationType}
    assert all(number > newest for number in unpublished)


def test_removed_types_are_those_whose_numbers_stay_free():
    numbers = set(range(max(ggml_types.GGML_TYPE_BY_ID) + 1))
    assert numbers - set(ggml_types.GGML_TYPE_BY_ID) == set(ggml_types.REMOVED_GGML_TYPES)


@pytest.mark.parametrize(
    "published", [kind for kind in LlamaFileType if kind.name != "GUESSED"], ids=lambda kind: kind.name
)
def test_every_published_file_type_has_its_label(published):
    label = published.name.split("_", 1)[1]  # ALL_F32, MOSTLY_Q4_K_M
    assert ggml_types.file_type_label(published.value) == label
    assert ggml_types.file_type_label(published.value | LlamaFileType.GUESSED) == label


@pytest.mark.parametrize("absent", [None, 5, 999, -1, "15", 15.0, True, [15]])
def test_no_label_for_what_is_no_file_type(absent):
    assert ggml_types.file_type_label(absent) is None


# Block sizes from ggml-common.h, by hand: a row of 4096 is 16 super-blocks of 256 or 128 blocks of 32.
@pytest.mark.parametrize(
    ("name", "expected"),
    [("F32", 16384), ("bf16", 8192), ("Q4_K", 16 * 144), ("Q6_K", 16 * 210), ("q8_0", 128 * 34), ("MXFP4", 128 * 17)],
)
def test_row_bytes(name, expected):
    assert ggml_types.row_bytes(name, 4096) == expected
    assert ggml_types.tensor_bytes(name, (4096, 3, 2)) == 6 * expected


def test_a_scalar_is_one_element():
    assert ggml_types.tensor_bytes("F32", ()) == 4


def test_a_row_must_fill_its_blocks():
    with pytest.raises(ValueError, match="row of 4100 elements cannot be Q4_K, whose blocks hold 256"):
        ggml_types.row_bytes("Q4_K", 4100)
    with pytest.raises(ValueError, match="row of -32 elements"):
        ggml_types.row_bytes("Q8_0", -32)


def test_an_unknown_type_is_named_with_what_there_is():
    with pytest.raises(ValueError, match="'Q4_K_M' is not a ggml type; the types are .*Q4_K, "):
        ggml_types.row_bytes("Q4_K_M", 256)
