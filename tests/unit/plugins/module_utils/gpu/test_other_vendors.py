# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AMD and Intel GPUs: stand-ins for amd-smi and rocm-smi, and what the kernel would show in sysfs."""

from __future__ import annotations

import json

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.gpu import probe
from ansible_collections.prositronic.infra.tests.unit.hosts.tree import GIB

AMD, INTEL, NVIDIA = 0x1002, 0x8086, 0x10DE
MIB = 2**20
VRAM, USED = 64 * GIB, 3 * GIB


def instinct(host, address="0000:83:00.0", **more):
    """An accelerator as amdgpu shows it."""
    values = {
        "mem_info_vram_total": VRAM,
        "mem_info_vram_used": USED,
        "mem_info_gtt_total": 128 * GIB,
        "mem_info_gtt_used": 0,
        "product_name": "AMD Instinct Example",
        "unique_id": "1f9de0957d137942",
        "numa_node": 1,
        "current_link_speed": "16.0 GT/s PCIe",
        "current_link_width": 16,
        "max_link_speed": "32.0 GT/s PCIe",
        "max_link_width": 16,
        **more,
    }
    folder = host.pci(address, AMD, 0x740F, "amdgpu", base_class=0x120000, **values)
    host.write("/dev/kfd", "")
    host.write("/sys/module/amdgpu/version", "6.12.12\n")
    return folder


def compute_node(host, number, version, simds=416, location=0x8300, gpu_id=4321):
    folder = f"/sys/class/kfd/kfd/topology/nodes/{number}"
    host.write(f"{folder}/gpu_id", f"{gpu_id}\n")
    host.write(
        f"{folder}/properties",
        f"cpu_cores_count 0\nsimd_count {simds}\nsimd_per_cu 4\nlocation_id {location}\ndomain 0\n"
        f"gfx_target_version {version}\n",
    )


STATIC = {
    "gpu": 0,
    "asic": {
        "market_name": "AMD Instinct Example",
        "vendor_id": "0x1002",
        "device_id": "0x740f",
        "asic_serial": "0x1F9DE0957D137942",
        "target_graphics_version": "gfx90a",
    },
    "bus": {"bdf": "0000:83:00.0"},
    "vram": {"type": "HBM", "size": {"value": 65536, "unit": "MB"}},
    "driver": {"name": "amdgpu", "version": "6.12.12"},
}
METRIC = {
    "gpu": 0,
    "mem_usage": {"total_vram": {"value": 65536, "unit": "MB"}, "used_vram": {"value": 3072, "unit": "MB"}},
}
PROCESS = {
    "gpu": 0,
    "process_list": [
        {"process_info": {"name": "x", "pid": 77, "memory_usage": {"vram_mem": {"value": 2 * GIB, "unit": "B"}}}}
    ],
}


def amd_smi(host, form=list, **entries):
    texts = {}
    for name, usual in (("static", STATIC), ("metric", METRIC), ("process", PROCESS)):
        entry = entries.get(name, usual)
        texts[name] = json.dumps([entry] if form is list else {"gpu_data": [entry]}, indent=4)
    host.tool(
        "amd-smi",
        'case "$*" in\n'
        + "".join(
            f"'{arguments} --json') cat <<'END'\n{texts[name]}\nEND\n;;\n"
            for name, arguments in (("static", "static"), ("metric", "metric --mem-usage"), ("process", "process"))
        )
        + "*) exit 2 ;;\nesac\n",
    )


EXPECTED = {
    "index": 0,
    "uuid": "GPU-1f9de0957d137942",
    "name": "AMD Instinct Example",
    "vendor": "amd",
    "pci_device_id": "1002:740f",
    "pci_bus_id": "0000:83:00.0",
    "architecture": "gfx90a",
    "compute_capability": None,
    "memory_total_bytes": VRAM,
    "memory_free_bytes": VRAM - USED,
    "memory_shared_bytes": None,
    "unified_memory": False,
    "processes": [{"pid": 77, "name": "llama-server", "unit": "llama-server-a.service", "memory_bytes": 2 * GIB}],
}


def expect(gpu, source):
    assert {key: gpu[key] for key in EXPECTED} == EXPECTED
    assert gpu["source"] == source


@pytest.fixture
def busy(host):
    host.process(77, "llama-server", "0::/system.slice/llama-server-a.service\n")
    return host


@pytest.mark.parametrize("form", [list, dict])
def test_amd_smi_of_rocm_6_and_7(busy, form):
    amd_smi(busy, form=form)
    reading = busy.read()
    expect(reading.gpus[0], "amd-smi")
    assert reading.driver == {"vendor": "amd", "version": "6.12.12", "cuda_version": None}
    assert reading.problems == []


def test_the_kernel_alone(busy):
    instinct(busy)
    compute_node(busy, 4, 90010)
    busy.write("/sys/class/kfd/kfd/proc/77/vram_4321", f"{2 * GIB}\n")
    busy.write("/sys/class/kfd/kfd/proc/78/vram_4321", "0\n")
    reading = busy.read()
    expect(reading.gpus[0], "sysfs")
    assert reading.gpus[0]["numa_node"] == 1
    assert reading.gpus[0]["pcie"] == {"generation": 4, "width": 16, "maximum_generation": 5, "maximum_width": 16}
    assert reading.driver["version"] == "6.12.12"


def test_rocm_smi_with_the_kernel_for_the_rest(busy):
    instinct(busy)
    compute_node(busy, 4, 90010)
    busy.write("/sys/class/kfd/kfd/proc/77/vram_4321", f"{2 * GIB}\n")
    card = {
        "Card Series": "AMD Instinct Example",
        "Device ID": "0x740f",
        "Unique ID": "0x1f9de0957d137942",
        "PCI Bus": "0000:83:00.0",
        "VRAM Total Memory (B)": str(VRAM),
        "VRAM Total Used Memory (B)": str(USED),
    }
    text = json.dumps({"card0": card, "system": {"Driver version": "6.12.12"}})
    busy.tool("rocm-smi", f"echo 'WARNING: AMD GPU device(s) is/are in a low-power state.'\necho; echo '{text}'")
    reading = busy.read()
    expect(reading.gpus[0], "rocm-smi")
    assert reading.driver == {"vendor": "amd", "version": "6.12.12", "cuda_version": None}


def test_rocm_smi_in_the_spelling_of_older_versions(host):
    card = {"Card series": "Radeon Old", "Card model": "0x744c", "VRAM Total Memory (B)": str(GIB)}
    host.tool("rocm-smi", f"echo '{json.dumps({'card10': card, 'card9': dict(card, **{'Card series': 'First'})})}'")
    gpus = host.read().gpus
    assert [(gpu["index"], gpu["name"]) for gpu in gpus] == [(0, "First"), (1, "Radeon Old")]
    assert gpus[0]["pci_device_id"] == "1002:744c"
    assert gpus[0]["memory_free_bytes"] is None  # what is used was not told


@pytest.mark.parametrize("tool", ["amd-smi", "rocm-smi"])
@pytest.mark.parametrize(
    "script",
    [
        "echo 'ERROR: driver not initialized' >&2; exit 255",
        "echo driver not initialized",
        "echo '[{'",
        "echo '\"x\"'",
        "exit 1",
    ],
)
def test_a_tool_that_does_not_work_leaves_the_kernel(host, tool, script):
    instinct(host)
    host.tool(tool, script)
    reading = host.read()
    assert [gpu["source"] for gpu in reading.gpus] == ["sysfs"]
    [problem] = reading.problems
    assert problem.startswith(f"{tool} ")


ODD = [
    None,
    "N/A",
    7,
    [],
    {},
    "",
    {"value": "N/A", "unit": "MB"},
    {"value": 1, "unit": "TB"},
    {"value": -1, "unit": "MB"},
]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("key", ["asic", "bus", "vram", "driver", "mem_usage", "process_list"])
def test_a_value_of_amd_smi_may_be_anything(host, key, value):
    usual = {"static": STATIC, "metric": METRIC, "process": PROCESS}
    odd = {name: {**entry, key: value} for name, entry in usual.items() if key in entry}
    amd_smi(host, form=dict, **odd)
    [gpu] = host.read().gpus
    assert gpu["vendor"] == "amd"


def strix_halo(host):
    """An APU: 512 MiB set aside by the firmware, the rest handed out from host memory."""
    instinct(
        host,
        mem_info_vram_total=512 * MIB,
        mem_info_vram_used=100 * MIB,
        mem_info_gtt_total=120 * GIB,
        mem_info_gtt_used=GIB,
    )
    compute_node(host, 1, 110501, simds=80)


def test_an_apu_counts_what_it_shares_once(host):
    strix_halo(host)
    gpus = host.read().gpus
    memory = {"total_bytes": 124 * GIB, "available_bytes": 100 * GIB}
    [gpu] = probe.with_host_memory(gpus, memory)
    assert (gpu["architecture"], gpu["unified_memory"]) == ("gfx1151", True)
    assert gpu["memory_total_bytes"] == 512 * MIB + 120 * GIB
    assert gpu["memory_shared_bytes"] == 120 * GIB
    # its own part, and what the host has left
    assert gpu["memory_free_bytes"] == 512 * MIB + 100 * GIB


def test_an_apu_gives_way_to_another_gpu(host):
    """As in llama.cpp, which uses integrated GPUs only where there is no other."""
    strix_halo(host)
    host.pci("0000:c1:00.0", AMD, 0x744C, "amdgpu", mem_info_vram_total=24 * GIB, mem_info_vram_used=0)
    assert [gpu["pci_bus_id"] for gpu in host.read().gpus] == ["0000:c1:00.0"]


def test_graphics_that_only_show_a_desktop_are_left_out(host):
    instinct(host, mem_info_vram_total=512 * MIB)
    compute_node(host, 1, 100306, simds=8)  # gfx1036, 2 compute units
    assert host.read().gpus == []


def test_a_card_behind_its_own_bridge_has_the_slots_link(host):
    instinct(host, current_link_speed="16.0 GT/s PCIe", current_link_width=16)
    host.write_all("/sys/bus/pci/devices/0000:00:01.0", current_link_speed="8.0 GT/s PCIe", current_link_width=4)
    pcie = host.read().gpus[0]["pcie"]
    assert (pcie["generation"], pcie["width"]) == (3, 4)


def test_an_amd_card_without_driver_and_one_without_devices(host):
    host.pci("0000:03:00.0", AMD, 0x744C, None)
    host.pci("0000:04:00.0", AMD, 0x744C, "amdgpu", mem_info_vram_total=GIB)
    assert [problem.partition(":")[0] for problem in host.read().problems] == [
        "no driver is bound to the AMD GPU 0000",
        "the AMD GPU 0000",
    ]


def test_intel_cards_with_memory_of_their_own(host):
    host.pci("0000:00:02.0", INTEL, 0x4680, "i915", base_class=0x030000)
    folder = host.pci("0000:03:00.0", INTEL, 0x56A0, "i915", base_class=0x030000)
    host.write_all(f"{folder}/drm/card1", lmem_total_bytes=16 * GIB, lmem_avail_bytes=15 * GIB)
    folder = host.pci("0000:04:00.0", INTEL, 0xE20B, "xe", base_class=0x030000)
    host.write_all(f"{folder}/tile0", physical_vram_size_bytes=hex(12 * GIB))
    host.pci("0000:05:00.0", INTEL, 0xE20B, "xe", base_class=0x030000)
    reading = host.read()
    assert [(gpu["pci_device_id"], gpu["memory_total_bytes"], gpu["memory_free_bytes"]) for gpu in reading.gpus] == [
        ("8086:56a0", 16 * GIB, 15 * GIB),
        ("8086:e20b", 12 * GIB, None),
        ("8086:e20b", None, None),
    ]
    assert "0000:05:00.0" in reading.problems[0]
    assert reading.driver["vendor"] == "intel"


def test_other_display_controllers_are_no_gpus(host):
    host.pci("0000:02:00.0", 0x1A03, 0x2000, "ast", base_class=0x030000)
    reading = host.read()
    assert (reading.gpus, reading.problems) == ([], [])
