# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata that does not describe a model whose tensors are known is refused, naming what is missing."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import architecture
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError

LLAMA = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 128,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.vocab_size": 100,
}


def built(**changes):
    metadata = LLAMA | {key.replace("__", "."): value for key, value in changes.items()}
    return {tensor.name: (tensor.shape, tensor.type) for tensor in architecture.tensors(metadata)}


def refusal(**changes):
    with pytest.raises(ContractError) as caught:
        built(**changes)
    return str(caught.value)


def test_a_small_llama():
    tensors = built()
    assert len(tensors) == 3 + 2 * 9
    assert tensors["token_embd.weight"] == ((64, 100), "BF16")
    assert tensors["blk.1.attn_k.weight"] == ((64, 32), "BF16")
    assert tensors["blk.1.attn_norm.weight"] == ((64,), "F32")


def test_what_a_checkpoint_has_beyond_its_keys():
    assert "output.weight" not in built(checkpoint__tied_embeddings=True)
    assert built(checkpoint__rope_factors="llama3")["rope_freqs.weight"] == ((8,), "F32")
    assert built(checkpoint__attention_bias="qkvo")["blk.0.attn_output.bias"] == ((64,), "F32")
    assert built(checkpoint__feed_forward_bias=True)["blk.0.ffn_up.bias"] == ((128,), "F32")


def test_the_vocabulary_may_be_the_length_of_the_token_list():
    assert built(llama__vocab_size=None, tokenizer__ggml__tokens=300)["output.weight"][0] == (64, 300)
    assert built(llama__vocab_size=None, tokenizer__ggml__tokens=["a", "b"])["output.weight"][0] == (64, 2)


def test_an_unknown_architecture_is_not_taken_for_llama():
    assert "not known" in refusal(general__architecture="llamb")
    assert "did you mean 'llama'" in refusal(general__architecture="llamb")
    assert "gguf_info" in refusal(general__architecture="rwkv7")
    assert "general.architecture" in refusal(general__architecture=None)


@pytest.mark.parametrize(
    "key", ["block_count", "embedding_length", "feed_forward_length", "attention.head_count", "vocab_size"]
)
def test_a_missing_key_is_named(key):
    assert f"llama.{key}" in refusal(**{f"llama__{key.replace('.', '__')}": None})


@pytest.mark.parametrize("value", [-1, 10**12, "32", 1.5, True, {}, [], [1, -1]])
def test_a_value_that_is_no_count_is_refused(value):
    assert "llama.embedding_length" in refusal(llama__embedding_length=value)


def test_a_billion_layers_are_refused_before_they_are_listed():
    assert "llama.block_count" in refusal(llama__block_count=10**9)
    assert "llama.block_count" in refusal(llama__block_count=513)


def test_an_array_that_ends_early_is_refused():
    assert "1 values for 2 layers" in refusal(llama__attention__head_count=[4])


def test_a_width_of_nothing_is_refused():
    assert "blk.0.ffn_gate.weight" in refusal(llama__feed_forward_length=0)


def test_a_checkpoint_key_of_the_wrong_type_is_refused():
    assert "checkpoint.tied_embeddings" in refusal(checkpoint__tied_embeddings="yes")


def test_what_llama_cpp_stops_at_is_refused():
    assert "4 query heads of block 0 cannot share 3 key heads" in refusal(llama__attention__head_count_kv=3)
    assert "llama.expert_used_count" in refusal(llama__expert_count=4, llama__expert_used_count=5)
