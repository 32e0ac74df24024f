# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every entry of the catalog: its form, and what can be checked of its figures against others."""

from __future__ import annotations

import math
import re

import pytest
import yaml
from ansible_collections.prositronic.infra.plugins.module_utils.ggml_types import GGML_TYPES, file_type_label
from ansible_collections.prositronic.infra.plugins.plugin_utils import architecture, quant
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access, per_layer
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog.schema import ENTRIES

EVERY = [(kind, name) for kind in access.NAMED_KINDS for name in access.names(kind)]
MODELS = [name for name in access.names("model") if access.model(name)["metadata"]]


def text_of(kind, name):
    return (access.DATA / access.KINDS[kind] / f"{name}.yaml").read_text(encoding="utf-8")


def in_order(value, schema):
    """Tell whether the keys of a mapping are those of the schema, in its order."""
    order = [key for key in schema.model_fields if key in value]
    return list(value) == order


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_an_entry_has_the_form_of_its_kind(kind, name):
    value = yaml.safe_load(text_of(kind, name))
    entry = ENTRIES[kind].read(value, name)
    assert entry.id == name, "the file is named by the id"
    assert in_order(value, ENTRIES[kind])
    assert set(value) == set(ENTRIES[kind].model_fields), "unknown is null, not left out"


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_an_entry_is_text_that_a_person_keeps(kind, name):
    text = text_of(kind, name)
    assert max(map(len, text.splitlines())) <= 160
    assert "\t" not in text
    assert text.endswith("\n")
    # Sources can be opened by anybody.
    assert not re.search(r"public file|/work|/tmp", text)


@pytest.mark.parametrize("kind", access.NAMED_KINDS)
def test_files_of_the_catalog_are_entries_and_what_belongs_to_them(kind):
    names = set(access.names(kind))
    for path in (access.DATA / access.KINDS[kind]).iterdir():
        stem, suffixes = re.fullmatch(r"(.+?)(\.yaml|\.files\.csv|names\.txt)?", path.name).groups()
        assert stem in names or path.name == "names.txt", path.name
        assert suffixes in (".yaml", ".files.csv", None)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_those_of_the_tensors_and_agree_with_the_published_count(name):
    """Files of the publisher may hold parts that a GGUF file does not; then a comment in the entry says which."""
    entry = access.model(name)
    tensors = architecture.tensors(entry["metadata"])
    total = sum(math.prod(tensor.shape) for tensor in tensors)
    assert entry["parameters"] == total
    published = entry["published_parameters"]
    if published and abs(published - total) > 1e-6 * total:  # rope factors and router biases are not counted by all
        assert re.search(r"^# .+\nparameters: ", text_of("model", name), re.MULTILINE), (
            f"{published - total:,} parameters are published beyond these; say in a comment what they are"
        )


@pytest.mark.parametrize("name", MODELS)
def test_metadata_name_the_architecture_and_agree_with_the_entry(name):
    entry = access.model(name)
    prefix = entry["metadata"]["general.architecture"]
    assert {key.split(".")[0] for key in entry["metadata"]} <= {"general", "checkpoint", prefix, "xielu"}
    assert entry["metadata"][f"{prefix}.context_length"] == entry["trained_context"]
    assert ("image" in entry["modality"]) == ("vision" in entry["capabilities"])
    used = entry["metadata"].get(f"{prefix}.expert_used_count")
    assert bool(entry["active_parameters"]) == bool(used), "experts are why fewer parameters are active than there are"
    if used:
        assert entry["active_parameters"] < entry["parameters"]


def test_models_whose_tensors_are_not_known_are_few_and_say_why():
    without = sorted(set(access.names("model")) - set(MODELS))
    assert without == ["kimi-k3"]
    assert re.search(r"^# .+\nmetadata: null", text_of("model", "kimi-k3"), re.MULTILINE)


@pytest.mark.parametrize("name", MODELS)
def test_arrays_with_a_value_for_each_layer_have_one_for_each(name):
    metadata = access.model(name)["metadata"]
    layers = metadata[f"{metadata['general.architecture']}.block_count"]
    # DeepSeek V4 has one more for its prediction layer, which the file does not hold; GLM 5.2 none for the one that it holds.
    lengths = {len(value) for value in metadata.values() if isinstance(value, list) and len(value) > 8}
    assert lengths <= {
        layers - metadata.get(f"{metadata['general.architecture']}.nextn_predict_layers", 0),
        layers,
        layers + 1,
    }


@pytest.mark.parametrize(
    ("array", "text"),
    [
        ([6144] * 15 + [12288] * 20, "15*6144 20*12288"),
        ([True, True, False] * 3, "2*true false 2*true false 2*true false"),
        ([0.8] * 9, "9*0.8"),
        ([-1e-06] * 8 + [10.0], "8*-1e-06 10.0"),
        ([0, 1856] * 5, "0 1856 0 1856 0 1856 0 1856 0 1856"),
    ],
)
def test_an_array_is_written_as_runs(array, text):
    assert per_layer.shorten(array) == {"per_layer": text}
    back = per_layer.expand({"per_layer": text})
    assert back == array
    assert list(map(type, back)) == list(map(type, array))


@pytest.mark.parametrize("value", [[11, 11, 10, 0], 5, "yarn", True, 1e-6])
def test_a_short_array_and_any_other_value_stay(value):
    assert per_layer.shorten(value) is value
    assert per_layer.expand(value) is value


@pytest.mark.parametrize("name", access.names("gpu"))
def test_memory_of_a_gpu(name):
    memory = access.gpu(name)["memory"]
    if memory["total_bytes"]:
        assert 0.9 <= memory["total_bytes"] / memory["nominal_bytes"] <= 1
    if memory["reserved_bytes"]:
        assert 0.002 < memory["reserved_bytes"] / memory["total_bytes"] < 0.07


@pytest.mark.parametrize("name", access.names("gpu"))
def test_a_gpu_is_what_its_vendor_makes(name):
    entry = access.gpu(name)
    vendors = {"10de": "nvidia", "1002": "amd", "8086": "intel"}
    assert {vendors[pci[:4]] for pci in entry["pci_device_ids"]} <= {entry["vendor"]}
    assert bool(entry["compute_capability"]) == (entry["vendor"] == "nvidia")
    assert bool(entry["gfx_target"]) == (entry["vendor"] == "amd")


@pytest.mark.parametrize("name", access.names("server"))
def test_a_server_has_a_gpu_of_the_catalog(name):
    assert access.server(name)["gpu"] in access.names("gpu")


def test_every_recipe_and_every_type_has_an_entry():
    entries = [access.quant(name) for name in access.names("quant")]
    recipes = {entry["id"]: entry for entry in entries if entry["kind"] == "recipe"}
    assert set(quant.FILE_TYPES) <= set(recipes)
    for name, entry in recipes.items():
        assert file_type_label(entry["file_type"]) == name
    bits = {entry["id"]: entry["type_bits_per_weight"] for entry in entries if entry["type_bits_per_weight"]}
    assert bits == {kind.name: 8 * kind.block_bytes / kind.block_elements for kind in GGML_TYPES}


@pytest.mark.parametrize("name", access.names("quant"))
def test_the_tier_follows_from_the_divergence_where_it_is_measured(name):
    entry = access.quant(name)
    if entry["kld"]:
        # What the entry's comment says: to 0.0225 high, to 0.072 medium.
        assert entry["tier"] == ("high" if entry["kld"] <= 0.0225 else "medium" if entry["kld"] <= 0.072 else "low")


@pytest.mark.parametrize("name", access.names("model"))
def test_published_files_are_sizes_that_the_model_can_have(name):
    """Between ternary and 32 bits; a label such as UD-Q4_K_XL says little, a size beyond these is a slip of the pen."""
    entry = access.model(name)
    for row in access.published_files(name):
        assert list(row) == [
            "repository", "quant", "printed", "size_bytes", "precision_bytes", "kind", "source", "note",
        ]  # fmt: skip
        assert row["kind"] in ("file", "tensors")
        assert "public file" not in row["source"] + row["note"]
        number, unit = row["printed"].split()
        scale = {"GiB": 1 << 30, "MiB": 1 << 20, "GB": 10**9, "MB": 10**6, "B": 1}[unit]
        assert abs(float(number.replace(",", "")) * scale - row["size_bytes"]) <= 1
        if entry["parameters"]:
            assert 1.5 < 8 * row["size_bytes"] / entry["parameters"] < 34, row
