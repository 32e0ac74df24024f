# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog id and a quant become a model."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.ggml_types import tensor_bytes
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_catalog

GIB = 1 << 30


def size(model):
    return sum(tensor_bytes(tensor.type, tensor.shape) for tensor in model.tensors)


@pytest.mark.parametrize(
    ("quant", "gib"),
    # Measured with llama-quantize --dry-run of llama.cpp 0.7.0, and the sizes of standard files of DeepSeek V3.
    [("Q4_K_M", 376.71), ("Q3_K_M", 297.34), ("Q4_0", 352.10)],
)
def test_a_recipe_gives_the_tensors(quant, gib):
    model = from_catalog.model("deepseek-v3.1", quant.lower())
    assert (model.id, model.name, model.quant, model.basis) == ("deepseek-v3.1", "DeepSeek-V3.1", quant, "recipe")
    assert round(size(model) / GIB, 2) == gib
    assert model.architecture == "deepseek2"
    assert model.metadata["general.name"] == "DeepSeek-V3.1"


def test_any_name_of_a_model_finds_the_same_one():
    assert from_catalog.model("meta-llama/Llama-3.1-8B-Instruct", "Q4_K_M") is from_catalog.model(
        "llama3.1-8b", "q4_k_m"
    )


@pytest.mark.parametrize(
    ("name", "quant"),
    [("qwen3.6-35b-a3b", "UD-Q4_K_XL"), ("mistral-small-3.2-24b", "UD-Q8_K_XL"), ("qwen2.5-14b-instruct", "Q6_K_L")],
)
def test_a_publishers_mix_takes_its_published_size(name, quant):
    published = [file["size_bytes"] for file in access.published_files(name) if file["quant"] == quant]
    model = from_catalog.model(name, quant)
    assert (model.quant, model.basis) == (quant, "assumed")
    assert size(model) == pytest.approx(max(published), rel=0.01)
    # Nothing but types differs from a recipe.
    recipe = from_catalog.model(name, "Q4_K_M")
    assert [(t.name, t.shape) for t in model.tensors] == [(t.name, t.shape) for t in recipe.tensors]


@pytest.mark.parametrize(
    ("name", "quant", "sentence"),
    [
        ("qwen3.6-35b-a3b", "UD-Q4_K_XXL", "and of 'qwen3.6-35b-a3b' that of Q2_K_L, "),
        ("starcoder2-15b", "Q4_K_L", "planned by its published size, and none of 'starcoder2-15b' is known;"),
        ("qwen3-8b", None, "model 'qwen3-8b': say what it is quantised to, such as quant='Q4_K_M'"),
        ("qwen3-8b", "", "say what it is quantised to"),
        ("qwen3-8b", "Q4_K_N", "did you mean 'Q4_K_S'?"),
        ("kimi-k3", "Q4_K_M", "model 'kimi-k3': the catalog does not know its tensors"),
    ],
)
def test_what_is_not_known_is_refused(name, quant, sentence):
    with pytest.raises(ContractError) as error:
        from_catalog.model(name, quant)
    assert sentence in str(error.value)


def test_a_model_that_is_not_in_the_catalog_is_refused():
    with pytest.raises(access.CatalogError, match="no model 'qwen3-9b'; did you mean"):
        from_catalog.model("qwen3-9b", "Q4_K_M")


def test_the_value_of_the_lookup_is_as_good_as_the_id():
    entry = access.model("qwen3.6-35b-a3b")
    for quant in ("Q4_K_M", "UD-Q4_K_XL"):
        by_id, by_value = from_catalog.model(entry["id"], quant), from_catalog.quantised(entry, quant)
        assert by_value.tensors == by_id.tensors
        assert by_value.metadata == by_id.metadata
        assert by_value.metadata["general.license"] == "apache-2.0"


def test_a_mix_of_a_model_that_the_catalog_does_not_have_is_refused():
    metadata = access.model("qwen3-8b")["metadata"]
    for value in ({"metadata": metadata}, {"metadata": metadata, "id": "mine"}):
        with pytest.raises(ContractError, match="none of .* is known"):
            from_catalog.quantised(value, "UD-Q4_K_XL")


def test_metadata_from_elsewhere_become_a_model_too():
    entry = access.model("qwen3-8b")
    model = from_catalog.quantised({"metadata": entry["metadata"], "name": "Mine"}, "Q8_0")
    assert (model.name, model.quant, model.basis) == ("Mine", "Q8_0", "recipe")
    assert size(model) == size(from_catalog.model("qwen3-8b", "Q8_0"))


@pytest.mark.parametrize(
    "metadata", [None, [], "general.architecture", {"general.architecture": "nobody"}, {}, {"general.architecture": 7}]
)
def test_metadata_that_describe_no_model_are_refused(metadata):
    with pytest.raises(ContractError):
        from_catalog.quantised({"metadata": metadata}, "Q8_0")
