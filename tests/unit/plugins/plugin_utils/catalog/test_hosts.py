# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Catalog entries as machines to plan for."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access, hosts
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu, InferenceHost

MIB = 1 << 20
GIB = 1 << 30


@pytest.mark.parametrize("name", access.names("gpu"))
def test_every_gpu_is_one_of_the_contract(name):
    gpu = Gpu.read(hosts.gpu(name), name)
    assert gpu.basis == "assumed"
    assert 0.9 * gpu.memory_total_bytes < gpu.memory_free_bytes < gpu.memory_total_bytes
    assert access.gpu_by_name(gpu.name, gpu.pci_device_id, gpu.memory_total_bytes)["id"] == name


@pytest.mark.parametrize("name", access.names("server"))
def test_every_server_is_a_host_of_the_contract(name):
    entry = access.server(name)
    host = InferenceHost.read(hosts.server(name, None if entry["memory_bytes"] else "64 GiB"), name)
    assert [gpu.index for gpu in host.gpus] == list(range(entry["gpu_count"]))
    assert 0.9 * host.memory.total_bytes < host.memory.available_bytes < host.memory.total_bytes


def test_free_memory_is_the_drivers_total_less_its_reserve_where_both_are_known():
    # An L40S in nvidia-smi: 46,068 MiB, of which 609 are reserved.
    assert hosts.gpu("L40S")["memory_free_bytes"] == (46_068 - 609) * MIB
    assert "less its driver's reserve" in hosts.gpu("L40S")["source"]


def test_free_memory_is_a_share_where_they_are_not():
    # 192 GiB nominal, nothing seen of what llama.cpp may use.
    assert hosts.gpu("MI300X")["memory_free_bytes"] == int(192 * GIB * 0.97)
    assert "97% of its memory" in hosts.gpu("MI300X")["source"]


def test_the_machines_of_the_first_plans():
    gex131 = hosts.server("hetzner-gex131")
    assert [gpu["memory_total_bytes"] for gpu in gex131["gpus"]] == [97_887 * MIB]
    assert gex131["memory"]["total_bytes"] == 256 * GIB
    ovh = hosts.server("ovh-ai1-1-gpu")
    assert [(gpu["name"], gpu["compute_capability"]) for gpu in ovh["gpus"]] == [("Tesla V100S-PCIE-32GB", "7.0")]
    assert ovh["memory"]["total_bytes"] == 40 * GIB
    h100 = hosts.server("aws-p5.48xlarge")
    assert [gpu["name"] for gpu in h100["gpus"]] == ["NVIDIA H100 80GB HBM3"] * 8
    assert hosts.gpu("RTX-3080-Ti")["memory_total_bytes"] == 12 * GIB
    assert hosts.gpu("RTX-3080-Ti-Laptop")["memory_total_bytes"] == 16 * GIB


@pytest.mark.parametrize(
    ("memory", "total_bytes"),
    [
        ("128 GiB", 128 * GIB),
        ("128GiB", 128 * GIB),
        ("0.5 tib", 512 * GIB),
        ("128 GB", 128 * 10**9),
        (137438953472, 128 * GIB),
    ],
)
def test_memory_that_is_said_overrides_the_catalog(memory, total_bytes):
    assert hosts.server("hetzner-gex131", memory)["memory"]["total_bytes"] == total_bytes


def test_linux_keeps_a_part_of_ram():
    # 40 GiB less one part in 64 for struct page less 1 GiB in use.
    assert hosts.server("ovh-ai1-1-gpu")["memory"]["available_bytes"] == 40 * GIB - 40 * GIB // 64 - GIB


def test_a_server_without_known_ram_needs_it_said():
    with pytest.raises(access.CatalogError, match="RAM of server 'gcp-a3-highgpu-8g' is not known; say it with memory"):
        hosts.server("gcp-a3-highgpu-8g")
    assert hosts.server("gcp-a3-highgpu-8g", "1872 GiB")["memory"]["total_bytes"] == 1872 * GIB


@pytest.mark.parametrize("memory", ["lots", "", "256", 256, -1, True, "1e9 GiB", "9" * 400, "256 GiBB", ["256 GiB"]])
def test_memory_that_cannot_be_is_refused_without_being_repeated(memory):
    with pytest.raises(access.CatalogError) as error:
        hosts.server("hetzner-gex131", memory)
    assert str(error.value).startswith("memory is ")
    assert str(memory) not in str(error.value) or memory in ("", 256, "256")
