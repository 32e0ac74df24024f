# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of llama-quantize that the measured models do not show: other file types, importance matrices, shapes that fit nothing."""

from __future__ import annotations

import math

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.ggml_types import FILE_TYPES, row_bytes
from ansible_collections.prositronic.infra.plugins.plugin_utils import architecture, quant
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Tensor

LLAMA_31_8B = {
    "general.architecture": "llama",
    "llama.block_count": 32,
    "llama.embedding_length": 4096,
    "llama.feed_forward_length": 14336,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
    "llama.vocab_size": 128256,
    "checkpoint.rope_factors": "llama3",
}

# Bits per weight of Llama 3.1 8B as llama.cpp's tools/quantize/README.md lists them (made with an importance matrix where
# one is needed: IQ3_XXS is another size without).
README_BITS = {
    "IQ1_S": 2.0042, "IQ1_M": 2.1460, "IQ2_XXS": 2.3824, "IQ2_XS": 2.5882, "IQ2_S": 2.7403, "IQ2_M": 2.9294,
    "IQ3_XXS": 3.2548, "IQ3_XS": 3.4977, "IQ3_S": 3.6606, "IQ3_M": 3.7628, "IQ4_XS": 4.4597, "IQ4_NL": 4.6818,
    "Q2_K_S": 2.9697, "Q2_K": 3.1593, "Q3_K_S": 3.6429, "Q3_K_M": 3.9960, "Q3_K_L": 4.2979, "Q4_K_S": 4.6672,
    "Q4_K_M": 4.8944, "Q5_K_S": 5.5704, "Q5_K_M": 5.7036, "Q6_K": 6.5633, "Q8_0": 8.5008, "F16": 16.0005,
}  # fmt: skip


def types(metadata, file_type, **options):
    tensors = quant.quantize(architecture.tensors(metadata), metadata, file_type, **options)
    return {tensor.name: tensor.type for tensor in tensors}


def changed(**changes):
    return LLAMA_31_8B | {f"llama.{key}".replace("__", "."): value for key, value in changes.items()}


@pytest.mark.parametrize(("file_type", "bits"), README_BITS.items())
def test_bits_per_weight_are_those_of_the_readme(file_type, bits):
    tensors = architecture.tensors(LLAMA_31_8B)
    quantized = quant.quantize(tensors, LLAMA_31_8B, file_type, imatrix=file_type == "IQ3_XXS")
    total = sum(row_bytes(t.type, t.shape[0]) * math.prod(t.shape[1:]) for t in quantized)
    assert round(8 * total / sum(math.prod(t.shape) for t in tensors), 4) == bits


def test_an_importance_matrix_changes_the_first_layers():
    assert types(LLAMA_31_8B, "Q4_0")["blk.0.ffn_down.weight"] == "Q4_0"
    assert types(LLAMA_31_8B, "Q4_0", imatrix=True)["blk.0.ffn_down.weight"] == "Q4_1"
    assert types(LLAMA_31_8B, "Q4_0", imatrix=True)["blk.4.ffn_down.weight"] == "Q4_0"
    assert types(LLAMA_31_8B, "IQ4_XS")["blk.0.ffn_down.weight"] == "Q5_K"
    assert types(LLAMA_31_8B, "IQ4_XS", imatrix=True)["blk.0.ffn_down.weight"] == "IQ4_XS"


def test_value_matrices_of_a_70b_get_more_bits():
    seventy = changed(block_count=80, attention__head_count=64)
    assert types(seventy, "Q4_K_S")["blk.40.attn_v.weight"] == "Q5_K"
    assert types(changed(block_count=79, attention__head_count=64), "Q4_K_S")["blk.40.attn_v.weight"] == "Q4_K"
    # the 65B of the first Llama has as many key heads as query heads
    assert types(changed(block_count=80, attention__head_count_kv=32), "Q4_K_S")["blk.40.attn_v.weight"] == "Q4_K"


def test_eight_experts_keep_their_attention():
    mixtral = types(changed(expert_count=8, expert_used_count=2), "Q4_K_M")
    assert (mixtral["blk.9.attn_k.weight"], mixtral["blk.9.attn_v.weight"]) == ("Q8_0", "Q8_0")
    assert mixtral["blk.9.attn_output.weight"] == "Q5_K"
    assert mixtral["blk.9.ffn_gate_inp.weight"] == "F32"


def test_ternary_types_keep_the_embedding():
    ternary = types(LLAMA_31_8B, "TQ2_0")
    assert (ternary["token_embd.weight"], ternary["output.weight"]) == ("Q4_K", "Q6_K")
    assert ternary["blk.3.attn_q.weight"] == "TQ2_0"


def test_mxfp4_is_for_experts():
    mixed = types(changed(expert_count=4, expert_used_count=2), "MXFP4_MOE")
    assert (mixed["blk.0.ffn_up_exps.weight"], mixed["blk.0.attn_q.weight"]) == ("MXFP4", "Q8_0")
    assert mixed["output.weight"] == "Q8_0"


def test_rows_that_fit_no_block_fall_back():
    narrow = changed(feed_forward_length=1408 + 32)
    assert types(narrow, "Q4_K_S")["blk.9.ffn_down.weight"] == "Q5_0"
    assert types(narrow, "IQ2_XS")["blk.9.ffn_down.weight"] == "IQ4_NL"
    odd = changed(feed_forward_length=1000)
    assert types(odd, "Q4_K_S")["blk.9.ffn_down.weight"] == "F16"
    with pytest.raises(ContractError, match=r"blk\.0\.ffn_down\.weight.*1000"):
        types(odd, "Q8_0")


def test_aliases_and_letter_case():
    assert quant.recipe_name("q4_k") == "Q4_K_M"
    assert types(LLAMA_31_8B, "q5_k") == types(LLAMA_31_8B, "Q5_K_M")


def test_every_label_is_a_file_type_of_gguf():
    assert set(quant.FILE_TYPES) <= set(FILE_TYPES.values())
    # llama-quantize does not make NVFP4
    assert set(FILE_TYPES.values()) - set(quant.FILE_TYPES) == {"NVFP4"}


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("UD-Q4_K_XL", "publisher's own mix"),
        ("Q4_K_X", "did you mean"),
        ("", "one of"),
        (None, "one of"),
        (4, "one of"),
    ],
)
def test_what_is_no_recipe_is_refused(label, text):
    with pytest.raises(ContractError, match=text):
        quant.quantize((), LLAMA_31_8B, label)


def test_tensors_that_are_no_matrices_keep_their_type():
    kept = (Tensor("blk.0.ffn_gate_tid2eid.weight", (6, 100), "I32"), Tensor("blk.0.attn_norm.weight", (64,), "F32"))
    assert quant.quantize(kept, {}, "Q8_0") == kept
    assert quant.quantize(kept, {}, "F16") == kept
