# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVML and nvidia-smi tell of the same machine in the same words.

Both are stand-ins (hosts/nvidia.py), a library in C and a script, that answer for one description of a machine.
"""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.gpu import nvidia_smi, nvml
from ansible_collections.prositronic.infra.tests.unit.hosts import nvidia
from ansible_collections.prositronic.infra.tests.unit.hosts.nvidia import MIB, Gpu, Machine, Process, Slice

# What only one of them can tell, and which of them told.
ONLY_NVML = ("bandwidth_bytes_per_second", "source")


def told_by_library(monkeypatch, folder, machine, *flags):
    return nvml.read([nvidia.library(monkeypatch, folder, machine.answers(), *flags)])


def told_by_tool(machine, old=False):
    return nvidia_smi.parse(
        machine.xml(old).encode(), machine.listing(), "" if old else machine.capabilities(), machine.topology()
    )


def without(entries, *keys):
    return [{key: value for key, value in entry.items() if key not in keys} for entry in entries]


def card(number: int, **more) -> Gpu:
    return Gpu(uuid=f"GPU-{number:08x}-0000-0000-0000-000000000000", bus=f"00000000:{number + 1:02X}:00.0", **more)


MIG = [
    Slice("MIG-aaaaaaaa-0000-0000-0000-000000000000", "3g.40gb", 40448, 2296, gpu_instance=2),
    Slice("MIG-bbbbbbbb-0000-0000-0000-000000000000", "1g.10gb", 9984, 9, gpu_instance=9),
]

MACHINES = {
    "one card in use": Machine([Gpu(ecc=False, used=9010, processes=[Process(100, 7000), Process(7, 2000, kind="G")])]),
    "a process that computes and draws": Machine([Gpu(used=310, processes=[Process(100, 300, kind="C+G")])]),
    "a process whose memory is not told": Machine([Gpu(processes=[Process(100, None)])]),
    "two cards joined directly": Machine(
        [card(0, links=["00000000:02:00.0"] * 4), card(1, links=["00000000:01:00.0"] * 4), card(2)]
    ),
    "sixteen cards at a switch": Machine([card(number, ecc=True, links=["switch"] * 6) for number in range(16)]),
    "slices": Machine(
        [Gpu(total=81559, reserved=479, used=59, mig=True, slices=MIG, processes=[Process(21180, 2290, 2, 0)]), card(1)]
    ),
    "MIG mode without slices": Machine([Gpu(mig=True)]),
    "vGPU": Machine([Gpu(name="GRID A100-10C", total=10240, reserved=0, virtualization=2)]),
    "prohibited": Machine([Gpu(compute_mode=2)]),
    "clocks at rest": Machine([Gpu(clock_reasons=("gpu_idle",))]),
    "clocks held down": Machine([Gpu(clock_reasons=("sw_power_cap", "hw_slowdown", "hw_thermal_slowdown"))]),
    "memory of the host": Machine([Gpu(name="NVIDIA GB10", bus="0000000F:01:00.0", total=None, c2c=None)]),
    "joined to its CPU": Machine([Gpu(name="NVIDIA GH200 480GB", total=97871, reserved=600, c2c=True, ecc=True)]),
    "a card that fell off the bus": Machine([card(0), card(1, error=nvidia.LOST), card(2)]),
    "no card": Machine([]),
}


@pytest.mark.parametrize("name", MACHINES)
def test_both_sources_agree_field_by_field(monkeypatch, tmp_path, name):
    machine = MACHINES[name]
    library, tool = told_by_library(monkeypatch, tmp_path, machine), told_by_tool(machine)
    assert without(library["gpus"], *ONLY_NVML) == without(tool["gpus"], *ONLY_NVML)
    assert library["driver"] == tool["driver"]
    assert library["problems"] == tool["problems"]
    assert {gpu["source"] for gpu in library["gpus"]} <= {"nvml"}
    assert {gpu["source"] for gpu in tool["gpus"]} <= {"nvidia-smi"}


def test_both_sources_agree_for_driver_470(monkeypatch, tmp_path):
    """No reserved memory, no compute capability in nvidia-smi, process lists of the first version."""
    machine = Machine([Gpu(used=2010, processes=[Process(100, 2000)])], driver="470.256.02", cuda=11040)
    library = told_by_library(monkeypatch, tmp_path, machine, "-DOLD")
    tool = told_by_tool(machine, old=True)
    known = ("compute_capability", *ONLY_NVML)
    assert without(library["gpus"], *known) == without(tool["gpus"], *known)
    assert (library["gpus"][0]["compute_capability"], tool["gpus"][0]["compute_capability"]) == ("8.9", None)
    assert tool["gpus"][0]["memory_reserved_bytes"] is None
    assert tool["gpus"][0]["memory_free_bytes"] == (24576 - 450 - 2010) * MIB
    assert tool["gpus"][0]["processes"] == [{"pid": 100, "name": None, "unit": None, "memory_bytes": 2000 * MIB}]


def test_a_card_is_told_completely(monkeypatch, tmp_path):
    machine = Machine([Gpu(ecc=True, used=9010, generation=1, width=8, processes=[Process(100, 9000)])])
    reading = told_by_library(monkeypatch, tmp_path, machine)
    assert reading["driver"] == {"version": "580.95.05", "cuda_version": "13.0"}
    assert reading["gpus"] == [
        {
            "index": 0,
            "uuid": "GPU-00000000-1111-2222-3333-444444444444",
            "name": "NVIDIA Example 24GB",
            "vendor": "nvidia",
            "pci_device_id": "10de:2684",
            "pci_bus_id": "0000:01:00.0",
            "numa_node": None,
            "compute_capability": "8.9",
            "architecture": None,
            "memory_total_bytes": 24576 * MIB,
            "memory_reserved_bytes": 450 * MIB,
            "memory_free_bytes": (24576 - 450 - 9010) * MIB,
            "memory_shared_bytes": None,
            "unified_memory": False,
            # 384 bit, 10501 MHz, two transfers a clock: the 1008 GB/s of an RTX 4090's data sheet
            "bandwidth_bytes_per_second": 384 // 8 * 10501 * 1_000_000 * 2,
            "ecc": True,
            "mig": None,
            "virtualization": "none",
            "compute_mode": "default",
            "clocks_limited_by": None,
            "pcie": {"generation": 1, "width": 8, "maximum_generation": 4, "maximum_width": 16},
            "nvlink": None,
            "c2c": None,
            "processes": [{"pid": 100, "name": None, "unit": None, "memory_bytes": 9000 * MIB}],
            "source": "nvml",
        }
    ]


def test_what_limits_the_clocks(monkeypatch, tmp_path):
    [limited] = told_by_library(monkeypatch, tmp_path, MACHINES["clocks held down"])["gpus"]
    [idle] = told_by_tool(MACHINES["clocks at rest"])["gpus"]
    assert limited["clocks_limited_by"] == ["power", "hardware", "thermal"]
    assert idle["clocks_limited_by"] == []


def test_a_slice_is_a_device_of_its_own(monkeypatch, tmp_path):
    first, second, whole = told_by_library(monkeypatch, tmp_path, MACHINES["slices"])["gpus"]
    assert first["uuid"] == "MIG-aaaaaaaa-0000-0000-0000-000000000000"
    assert first["mig"] == {"profile": "3g.40gb", "parent_uuid": "GPU-00000000-1111-2222-3333-444444444444"}
    assert first["memory_total_bytes"] == 40448 * MIB
    assert first["memory_free_bytes"] == (40448 - 2296) * MIB
    assert first["bandwidth_bytes_per_second"] == whole["bandwidth_bytes_per_second"] * 40448 // 81559
    assert [process["pid"] for process in first["processes"]] == [21180]
    assert (second["index"], second["processes"]) == (0, [])
    assert (whole["index"], whole["mig"]) == (1, None)


def test_a_card_in_mig_mode_without_slices_has_none_to_give():
    [gpu] = told_by_tool(MACHINES["MIG mode without slices"])["gpus"]
    assert (gpu["memory_total_bytes"], gpu["memory_free_bytes"]) == (24576 * MIB, 0)


def test_nvlink_names_the_cards_it_reaches():
    direct = told_by_tool(MACHINES["two cards joined directly"])["gpus"]
    assert [gpu["nvlink"] for gpu in direct] == [[direct[1]["uuid"]], [direct[0]["uuid"]], None]
    switched = told_by_tool(MACHINES["sixteen cards at a switch"])["gpus"]
    assert switched[3]["nvlink"] == [gpu["uuid"] for gpu in switched if gpu is not switched[3]]


def test_a_lost_card_is_a_problem_and_the_others_keep_their_numbers():
    reading = told_by_tool(MACHINES["a card that fell off the bus"])
    assert [gpu["index"] for gpu in reading["gpus"]] == [0, 2]
    [problem] = reading["problems"]
    assert problem.startswith("GPU 1 has fallen off the bus: reboot")


@pytest.mark.parametrize("number", [15, 16, 999])
def test_a_card_whose_memory_is_out_of_reach_is_a_problem(monkeypatch, tmp_path, number):
    """Not one without memory of its own, and not one to plan with."""
    lines = Machine([card(0), card(1)]).answers().splitlines()
    answers = "\n".join(f"1 memory !{number}" if line.startswith("1 memory") else line for line in lines)
    reading = nvml.read([nvidia.library(monkeypatch, tmp_path, answers + "\n")])
    assert [gpu["index"] for gpu in reading["gpus"]] == [0]
    assert reading["problems"][0].startswith("GPU 1 ")


def test_a_card_that_refuses_to_tell_its_memory_is_unknown(monkeypatch, tmp_path):
    answers = Machine([Gpu(total=None)]).answers() + "0 memory !4\n"
    [gpu] = nvml.read([nvidia.library(monkeypatch, tmp_path, answers)])["gpus"]
    assert (gpu["memory_total_bytes"], gpu["memory_free_bytes"], gpu["unified_memory"]) == (None, None, None)


@pytest.mark.parametrize("number", [6, 9, 12, 17, 18, 999])
def test_a_library_that_refuses_gives_its_number(monkeypatch, tmp_path, number):
    library = nvidia.library(monkeypatch, tmp_path, f"- init !{number}\n")
    reading = nvml.read([library])
    assert (reading["error"], reading["gpus"]) == (number, [])


def test_a_host_without_library_is_told_as_such(tmp_path):
    assert nvml.read([str(tmp_path / "libnvidia-ml.so.1")])["error"] == 12


def test_more_processes_than_ever_are_cut(monkeypatch, tmp_path):
    machine = Machine([Gpu(processes=[Process(pid, 1) for pid in range(1, 200)])])
    [gpu] = told_by_library(monkeypatch, tmp_path, machine)["gpus"]
    assert [process["pid"] for process in gpu["processes"]] == list(range(1, 200))


NOT_A_LOG = {
    "nothing": b"",
    "a sentence": b"No devices were found\n",
    "binary": bytes(range(256)) * 100,
    "cut off": Machine([Gpu()]).xml().encode()[:900],
    "broken": Machine([Gpu()]).xml().replace("</uuid>", "</uid>").encode(),
    "entities": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><nvidia_smi_log>&a;</nvidia_smi_log>',
    "deep": b'<?xml version="1.0"?><nvidia_smi_log>' + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</nvidia_smi_log>",
    "wide": b'<?xml version="1.0"?><nvidia_smi_log>' + b"<a/>" * 500_000 + b"</nvidia_smi_log>",
}


@pytest.mark.parametrize("name", NOT_A_LOG)
def test_what_is_no_log_is_refused(name):
    with pytest.raises(nvidia_smi.Unreadable, match="^printed "):
        nvidia_smi.parse(NOT_A_LOG[name])


@pytest.mark.parametrize("value", ["", "N/A", "[N/A]", "Not Supported", "Requested functionality has been deprecated"])
@pytest.mark.parametrize("tag", [field.name for field in dataclasses.fields(Gpu) if field.name in ("name", "uuid")])
def test_a_value_may_be_missing_anywhere(tag, value):
    text = {"name": "NVIDIA Example 24GB", "uuid": "GPU-00000000-1111-2222-3333-444444444444"}[tag]
    [gpu] = nvidia_smi.parse(Machine([Gpu()]).xml().replace(text, value).encode())["gpus"]
    assert gpu[tag] is None
    assert gpu["memory_total_bytes"] == 24576 * MIB


@pytest.mark.parametrize(
    "element", ["<uuid>", "<pci>", "<fb_memory_usage>", "<ecc_mode>", "<processes>", "<compute_mode>"]
)
def test_an_element_with_another_name_is_unknown_not_an_error(element):
    name = element[1:-1]
    text = Machine([Gpu()]).xml().replace(f"<{name}>", "<renamed>").replace(f"</{name}>", "</renamed>")
    [gpu] = nvidia_smi.parse(text.encode())["gpus"]
    assert gpu["name"] == "NVIDIA Example 24GB"
    if name == "fb_memory_usage":
        assert (gpu["memory_total_bytes"], gpu["memory_free_bytes"], gpu["unified_memory"]) == (None, None, None)
