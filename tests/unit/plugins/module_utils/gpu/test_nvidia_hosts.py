# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with NVIDIA hardware: which source is used, what is wrong, who uses the GPUs. The driver's parts are stand-ins."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.gpu import probe
from ansible_collections.prositronic.infra.tests.unit.hosts.nvidia import MIB, Gpu, Machine, Process

NVIDIA = 0x10DE


def test_a_host_without_gpu(host):
    assert host.read() == ([], {"vendor": None, "version": None, "cuda_version": None}, [])


def test_the_library_is_asked_first(host):
    host.library(Machine([Gpu()]).answers())
    host.tool("nvidia-smi", "echo it should not be asked; exit 1")
    reading = host.read()
    assert [gpu["source"] for gpu in reading.gpus] == ["nvml"]
    assert reading.driver == {"vendor": "nvidia", "version": "580.95.05", "cuda_version": "13.0"}
    assert reading.problems == []


def test_nvidia_smi_is_asked_where_there_is_no_library(host):
    Machine([Gpu()]).nvidia_smi(host.bin)
    [gpu] = host.read().gpus
    assert (gpu["source"], gpu["compute_capability"]) == ("nvidia-smi", "8.9")


@pytest.mark.parametrize("what", ["crash", "hang", "!999"])
def test_nvidia_smi_is_asked_where_the_library_is_broken(host, what):
    host.library(f"- init {what}\n")
    Machine([Gpu()]).nvidia_smi(host.bin)
    reading = host.read(seconds=4.0 if what == "hang" else 30.0)
    if what == "hang":  # it has used up the time for both
        assert reading.gpus == []
        assert "the NVIDIA library did not finish within" in reading.problems[0]
        assert "option timeout" in reading.problems[1]
    else:
        assert [gpu["source"] for gpu in reading.gpus] == ["nvidia-smi"]


def test_a_library_that_prints_does_not_disturb(host, capfd):
    host.library("- init print\n" + Machine([Gpu()]).answers())
    assert len(host.read().gpus) == 1
    assert capfd.readouterr().out == ""


EXIT_CODES = {
    6: ("No devices were found", "finds no GPU: check with lspci"),
    9: (
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "not loaded: install it, or load",
    ),
    12: ("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", "missing or cannot be loaded: install"),
    18: (
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.1",
        "versions, as after a",
    ),
    255: ("Something never seen before", "nvidia-smi exited with 255: Something never seen before"),
    0: ("", "nvidia-smi printed no XML but: nothing"),
}


@pytest.mark.parametrize("code", EXIT_CODES)
def test_an_exit_code_becomes_a_sentence(host, code):
    said, expected = EXIT_CODES[code]
    host.write("/sys/module/nvidia/version", "575.57.08\n")
    host.tool("nvidia-smi", f'echo "{said}"; exit {code}')
    reading = host.read()
    assert reading.gpus == []
    [problem] = reading.problems
    assert expected in problem
    assert "\n" not in problem
    assert problem.endswith("(kernel module 575.57.08, library 580.1)") == (code == 18)


def test_the_library_tells_which_versions_do_not_fit(host):
    host.write("/sys/module/nvidia/version", "575.57.08\n")
    host.library("- init !18\n- library 580.95.05\n")
    [problem] = host.read().problems
    assert problem.endswith("reload the module (kernel module 575.57.08, library 580.95.05)")


def test_the_same_problem_is_told_once(host):
    host.library("- init !9\n")
    host.tool("nvidia-smi", "exit 9")
    assert len(host.read().problems) == 1


HOSTILE = {
    "binary": "head -c 100000 /dev/urandom",
    "escapes": "printf '\\033[31mred\\033[0m\\007'; exit 7",
    "endless": "yes '<?xml version=\"1.0\"?><nvidia_smi_log>'",
    "hangs": "sleep 1000",
    "forks": "for i in 1 2 3 4; do (sleep 1000 &) ; done; sleep 1000",
    "half": 'echo \'<?xml version="1.0"?><nvidia_smi_log><gpu id="x">\'',
    "empty log": "echo '<?xml version=\"1.0\"?><nvidia_smi_log></nvidia_smi_log>'",
    "odd numbers": (
        'echo \'<?xml version="1.0"?><nvidia_smi_log><gpu id="::::"><fb_memory_usage><total>-5 MiB</total>'
        "<used>99999999999999999999999999 MiB</used></fb_memory_usage></gpu></nvidia_smi_log>'"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_output_ends_in_a_problem(host, name):
    host.tool("nvidia-smi", HOSTILE[name])
    reading = host.read(seconds=2.0)
    if name == "empty log":
        assert (reading.gpus, reading.problems) == ([], [])
    elif name == "odd numbers":
        assert [gpu["memory_total_bytes"] for gpu in reading.gpus] == [None]
    else:
        [problem] = reading.problems
        assert problem.startswith("nvidia-smi ")
        assert problem.isprintable()
        assert len(problem) < 300


def test_processes_are_named_with_their_unit(host):
    host.process(100, "llama-server", "0::/system.slice/llama-server-chat.service\n")
    host.process(101, "python3", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/jupyter.service/kernel\n")
    host.process(102, "sh", "0::/user.slice/user-1000.slice/session-4.scope\n")
    host.process(103, "Xorg", "12:memory:/x\n1:name=systemd:/system.slice/gdm.service\n0::/\n")
    host.process(104, "init", "0::/\n")
    host.library(Machine([Gpu(processes=[Process(pid, 100) for pid in (100, 101, 102, 103, 104)])]).answers())
    reading = host.read()
    assert [(entry["name"], entry["unit"]) for entry in reading.gpus[0]["processes"]] == [
        ("llama-server", "llama-server-chat.service"),
        ("python3", "jupyter.service"),
        ("sh", "session-4.scope"),
        ("Xorg", "gdm.service"),
        ("init", None),
    ]
    assert reading.problems == []


def test_processes_that_cannot_be_seen_are_a_problem(host):
    host.library(Machine([Gpu(processes=[Process(100, 100)])]).answers())
    reading = host.read()
    assert reading.gpus[0]["processes"] == [{"pid": 100, "name": None, "unit": None, "memory_bytes": 100 * MIB}]
    assert "1 of the processes on GPUs cannot be seen" in reading.problems[0]


def test_the_bus_tells_the_numa_node(host):
    host.pci("0000:01:00.0", NVIDIA, 0x2684, "nvidia", numa_node=1)
    host.library(Machine([Gpu()]).answers())
    assert host.read().gpus[0]["numa_node"] == 1


def test_no_numa_node_is_unknown(host):
    host.pci("0000:01:00.0", NVIDIA, 0x2684, "nvidia", numa_node=-1)
    host.library(Machine([Gpu()]).answers())
    assert host.read().gpus[0]["numa_node"] is None


def test_cards_without_nvidias_driver_are_a_problem(host):
    for number, driver in enumerate([None, "nouveau", None, "vfio-pci"]):
        host.pci(f"0000:0{number + 1}:00.0", NVIDIA, 0x2684, driver)
    host.pci("0000:09:00.1", NVIDIA, 0x22BA, None, base_class=0x040300)  # its sound
    assert host.read().problems == [
        "no driver is bound to the NVIDIA GPUs 0000:01:00.0 (10de:2684), 0000:03:00.0 (10de:2684):"
        " install NVIDIA's driver, without it they cannot compute",
        "nouveau is bound to the NVIDIA GPU 0000:02:00.0 (10de:2684):"
        " install NVIDIA's driver, without it they cannot compute",
    ]


def test_a_card_that_the_driver_holds_and_does_not_list_is_a_problem(host):
    host.write("/proc/driver/nvidia/gpus/0000:01:00.0/information", "")
    host.library(Machine([Gpu()]).answers())
    assert host.read().problems == []
    host.write("/proc/driver/nvidia/gpus/0000:C1:00.0/information", "")
    assert host.read().problems == [
        "the NVIDIA driver no longer lists 0000:C1:00.0: look for Xid lines in the kernel log, then reboot"
    ]


def test_a_card_that_cannot_be_used_has_no_memory_to_give(host):
    host.library(Machine([Gpu(mig=True), Gpu(uuid="GPU-2", compute_mode=2)]).answers())
    reading = host.read()
    assert [gpu["memory_free_bytes"] for gpu in reading.gpus] == [0, 0]
    assert "GPU 0 is in MIG mode without any slice" in reading.problems[0]
    assert "GPU 1 is in compute mode prohibited" in reading.problems[1]


def test_a_tool_that_counts_more_than_it_tells(host):
    text = Machine([Gpu()]).xml().replace("<attached_gpus>1<", "<attached_gpus>4<")
    host.write("/q", text)
    host.tool("nvidia-smi", f"cat {host.root}/q")
    assert "counts 4 GPUs and tells of 1" in host.read().problems[0]


def test_unified_memory_is_the_hosts(host):
    """GB10: the driver tells no memory, the GPU works in the host's."""
    host.library(Machine([Gpu(name="NVIDIA GB10", total=None)]).answers())
    memory = {"total_bytes": 1000, "available_bytes": 600}
    [gpu] = probe.with_host_memory(host.read().gpus, memory)
    assert gpu["unified_memory"] is True
    assert (gpu["memory_total_bytes"], gpu["memory_free_bytes"], gpu["memory_shared_bytes"]) == (1000, 600, 1000)


def test_memory_of_its_own_is_left_alone(host):
    host.library(Machine([Gpu()]).answers())
    [gpu] = probe.with_host_memory(host.read().gpus, {"total_bytes": 1000, "available_bytes": 600})
    assert (gpu["memory_total_bytes"], gpu["memory_shared_bytes"]) == (24576 * MIB, None)


def jetson(host):
    host.write("/proc/device-tree/compatible", b"nvidia,p3737-0000+p3701-0005\0nvidia,p3701-0005\0nvidia,tegra234\0")
    host.write("/proc/device-tree/model", b"NVIDIA Jetson AGX Orin Developer Kit\0")


def test_a_jetson_without_any_tool(host):
    jetson(host)
    [gpu] = host.read().gpus
    assert (gpu["name"], gpu["compute_capability"]) == ("NVIDIA Jetson AGX Orin Developer Kit", "8.7")
    assert (gpu["unified_memory"], gpu["source"]) == (True, "device-tree")


def test_a_jetson_with_nvidia_smi(host):
    jetson(host)
    machine = Machine([Gpu(name="Orin (nvgpu)", total=None)], driver="N/A")
    machine.nvidia_smi(host.bin, old=True)
    [gpu] = host.read().gpus
    assert (gpu["name"], gpu["compute_capability"], gpu["source"]) == ("Orin (nvgpu)", "8.7", "nvidia-smi")
