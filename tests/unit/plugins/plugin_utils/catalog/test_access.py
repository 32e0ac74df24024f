# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How entries of the catalog are found, and what is said where they are not."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.tools.catalog import names


def test_the_catalog_is_as_large_as_promised():
    assert len(access.names("model")) >= 180
    assert len(access.names("gpu")) >= 95
    assert len(access.names("server")) >= 97
    assert len(access.names("quant")) >= 53


@pytest.mark.parametrize("kind", access.NAMED_KINDS)
def test_the_names_are_up_to_date(kind):
    """A stale file is written anew by `python3 tools/catalog names`."""
    written = (access.DATA / access.KINDS[kind] / "names.txt").read_text(encoding="utf-8")
    assert written == names.text(kind)


@pytest.mark.parametrize(
    ("find", "called", "identifier"),
    [
        (
            access.model,
            ["deepseek-v3.1", "DeepSeek-V3.1", "deepseek-v3-1", "deepseek-ai/DeepSeek-V3.1", " deepseek v3.1 "],
            "deepseek-v3.1",
        ),
        (access.model, ["llama3-1-8b", "Llama-3.1-8B-Instruct", "llama3.1:8b"], "llama-3.1-8b-instruct"),
        (access.gpu, ["L40S", "l40s", "nvidia-l40s", "NVIDIA L40S", "10de:26b9", "10DE:26B9"], "L40S"),
        (access.gpu, ["V100S", "nvidia-v100s", "Tesla V100S-PCIE-32GB"], "V100S-PCIe-32GB"),
        (access.gpu, ["nvidia-rtx6000pro", "RTX PRO 6000 Max-Q"], "RTX-PRO-6000-Blackwell-Max-Q"),
        (access.server, ["hetzner-gex131", "GEX131", "Hetzner GEX131"], "hetzner-gex131"),
        (access.server, ["ovh-ai1-1-gpu", "OVH ai1-1-GPU"], "ovh-ai1-1-gpu"),
        (access.server, ["aws-p5.48xlarge", "aws-p5-48xlarge"], "aws-p5.48xlarge"),
        (access.quant, ["Q4_K_M", "q4_k_m", "q4-k-m", "Q4_K - Medium"], "Q4_K_M"),
    ],
)
def test_an_entry_is_found_by_any_of_its_names(find, called, identifier):
    assert [find(name)["id"] for name in called] == [identifier] * len(called)


@pytest.mark.parametrize(
    ("find", "name", "sentence"),
    [
        (access.model, "deepseek-v31", "no model 'deepseek-v31'; did you mean deepseek-v3.1?"),
        (access.gpu, "L40Z", "no gpu 'L40Z'; did you mean L40 or L40S?"),
        (access.server, "hetzner-gex132", "no server 'hetzner-gex132'; did you mean hetzner-gex131"),
        (access.quant, "Q4_K_N", "no quant 'Q4_K_N'; did you mean"),
        (access.model, "xyzzy", "no model 'xyzzy'; none of the catalog's"),
        (access.gpu, "RTX 3080", "gpu 'RTX 3080' may be RTX-3080-10GB or RTX-3080-12GB; say which"),
        (access.model, "", "a model of the catalog is named by text such as"),
        (access.model, 7, "a model of the catalog is named by text such as"),
        (access.model, "../../../../../etc/passwd", "no model '../../../../../etc/passwd'"),
        (access.model, "x" * 10_000, "xxx...'"),
    ],
)
def test_a_name_that_is_not_known_is_one_sentence_with_what_may_be_meant(find, name, sentence):
    with pytest.raises(access.CatalogError) as error:
        find(name)
    assert sentence in str(error.value)
    assert len(str(error.value)) < 300
    assert "\n" not in str(error.value)


def test_an_unknown_kind_is_refused():
    with pytest.raises(access.CatalogError, match="no kind 'engines'"):
        access.names("engines")


def test_what_a_caller_changes_is_not_seen_by_the_next_one():
    entry = access.model("qwen3-8b")
    entry["metadata"]["qwen3.block_count"] = 0
    assert access.model("qwen3-8b")["metadata"]["qwen3.block_count"] == 36


# Names as nvidia-smi, amd-smi and vulkaninfo print them.
@pytest.mark.parametrize(
    ("name", "pci", "total_mib", "identifier"),
    [
        ("NVIDIA H100 80GB HBM3", "10de:2330", 81559, "H100-SXM-80GB"),
        ("NVIDIA H100 PCIe", None, 81559, "H100-PCIe-80GB"),
        ("NVIDIA H100 NVL", None, 95830, "H100-NVL-94GB"),
        ("NVIDIA H200", None, 143771, "H200-SXM-141GB"),
        ("Tesla T4", "10de:1eb8", 15360, "T4"),
        ("Tesla V100S-PCIE-32GB", None, 32510, "V100S-PCIe-32GB"),
        ("NVIDIA A100-SXM4-80GB", "10de:20b2", 81920, "A100-SXM-80GB"),
        ("A100-SXM4-80GB", None, 81251, "A100-SXM-80GB"),
        ("NVIDIA L4", None, 23034, "L4"),
        ("NVIDIA L40S", "10de:26b9", 46068, "L40S"),
        ("NVIDIA A10G", None, 23028, "A10G"),
        ("NVIDIA RTX A5000", "10de:2231", 24564, "RTX-A5000"),
        ("NVIDIA RTX 4000 SFF Ada Generation", "10de:27b0", 20475, "RTX-4000-SFF-Ada"),
        ("NVIDIA RTX 6000 Ada Generation", None, 49140, "RTX-6000-Ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", None, 97887, "RTX-PRO-6000-Blackwell-Server"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", None, 97887, "RTX-PRO-6000-Blackwell-WS"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", None, 97887, "RTX-PRO-6000-Blackwell-Max-Q"),
        ("NVIDIA GeForce RTX 4080 SUPER", None, 16376, "RTX-4080-SUPER"),
        ("NVIDIA GeForce RTX 4090", None, None, "RTX-4090"),
        ("GeForce RTX 3090", None, 24268, "RTX-3090"),
        ("NVIDIA GeForce RTX 3080 Ti", None, 12288, "RTX-3080-Ti"),
        ("NVIDIA GeForce RTX 3080 Ti Laptop GPU", None, 16384, "RTX-3080-Ti-Laptop"),
        ("NVIDIA GeForce RTX 3060", "10de:2487", 12288, "RTX-3060-12GB"),
        ("NVIDIA GeForce RTX 3080", "10de:220a", None, "RTX-3080-12GB"),
        ("NVIDIA GeForce RTX 3080", None, 10240, "RTX-3080-10GB"),
        ("NVIDIA GB10", None, None, "GB10-DGX-Spark"),
        ("AMD Instinct MI300X", "1002:74a1", 196592, "MI300X"),
        ("AMD Radeon RX 7900 XT", "1002:744c", 20464, "RX-7900-XT"),
        ("AMD Radeon RX 7900 XTX", "1002:744c", 24560, "RX-7900-XTX"),
        ("Intel(R) Arc(TM) A770 Graphics", None, None, "Arc-A770-16GB"),
        # Unified memory, of which the firmware gives the GPU a part; two modules of one name.
        ("AMD Radeon 8060S", None, 98304, "Ryzen-AI-Max-395-8060S"),
        ("Orin (nvgpu)", None, 62841, "Jetson-AGX-Orin-64GB"),
        # A name that says nothing; the PCI id does.
        ("Graphics Device", "10de:26b9", None, "L40S"),
    ],
)
def test_a_gpu_is_found_by_what_its_driver_reports(name, pci, total_mib, identifier):
    entry = access.gpu_by_name(name, pci, total_mib and total_mib << 20)
    assert entry is not None
    assert entry["id"] == identifier


@pytest.mark.parametrize(
    ("name", "pci", "total_mib"),
    [
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None, None),
        ("NVIDIA GeForce RTX 4090 D", None, None),
        ("NVIDIA GeForce RTX 3060", None, 8192),
        ("NVIDIA GeForce RTX 3080", None, None),
        ("Graphics Device", None, None),
        ("", None, None),
        (None, None, None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None, 9856),
    ],
)
def test_a_gpu_that_the_catalog_cannot_tell_is_none(name, pci, total_mib):
    assert access.gpu_by_name(name, pci, total_mib and total_mib << 20) is None


def test_published_files_have_exact_bytes_where_they_were_printed():
    ollama = [row for row in access.published_files("deepseek-v3.1") if row["size_bytes"] == 404_494_157_743]
    assert [(row["quant"], row["precision_bytes"], row["kind"]) for row in ollama] == [("Q4_K_M", 0, "file")]


def test_a_model_without_known_files_has_none():
    assert access.published_files("kimi-k3") == []


def test_only_the_entries_asked_for_are_read(monkeypatch):
    """Reading all models would cost each fork of a play a quarter of a second."""
    read = []
    original = access.yaml.load
    monkeypatch.setattr(
        access.yaml, "load", lambda text, **options: read.append(text.name) or original(text, **options)
    )
    access._load.cache_clear()
    access.model("gemma-3-27b-it")
    access.gpu_by_name("NVIDIA L40S")
    assert sorted(pathlib.Path(name).name for name in read) == ["L40S.yaml", "gemma-3-27b-it.yaml"]
