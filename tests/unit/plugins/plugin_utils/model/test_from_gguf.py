# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A GGUF header becomes a Model."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.from_gguf import from_gguf
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Tensor


def header(**changes):
    value = {
        "schema": 1,
        "files": [{"path": "/models/tiny-Q4_K_M.gguf", "size_bytes": 123}],
        "version": 3,
        "alignment": 32,
        "metadata": {"general.architecture": "llama", "general.file_type": 15, "llama.block_count": 2},
        "tensors": "Q4_K 256x512 token_embd.weight\nF32 256 output_norm.weight\n",
    }
    return value | changes


def test_a_header_becomes_a_model():
    model = from_gguf(header())
    assert (model.id, model.architecture, model.quant, model.basis) == ("tiny-Q4_K_M", "llama", "Q4_K_M", "file")
    assert model.tensors == (
        Tensor("token_embd.weight", (256, 512), "Q4_K"),
        Tensor("output_norm.weight", (256,), "F32"),
    )
    assert model.get("block_count") == 2
    assert model.get("context_length", 4096) == 4096
    assert model.files[0].size_bytes == 123


@pytest.mark.parametrize("line", ["Q4_K", "Q4_K 4x4", "Q4_K 4xfour name", "Q4_K 0x4 name", "Q4_K 1x2x3x4x5 name"])
def test_a_broken_tensor_line_is_named(line):
    with pytest.raises(ContractError, match="line 2 of the tensors"):
        from_gguf(header(tensors=f"F32 256 output_norm.weight\n{line}\n"))


def test_a_projector_is_refused_in_one_sentence():
    with pytest.raises(ContractError, match="general.architecture"):
        from_gguf(header(metadata={}))


def test_an_unknown_file_type_is_no_quant():
    assert from_gguf(header(metadata={"general.architecture": "llama", "general.file_type": 9999})).quant is None
