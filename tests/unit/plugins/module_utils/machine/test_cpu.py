# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processors of made-up machines."""

from __future__ import annotations

import os

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.machine import cgroup, cpu
from ansible_collections.prositronic.infra.tests.unit.hosts.tree import Tree


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def two_sockets(tree):
    """8 cores on 2 sockets, 2 threads each: cpu N and N + 8 are one core."""
    tree.write("/sys/devices/system/cpu/online", "0-15\n")
    for number in range(16):
        tree.cpu(number, socket=number % 8 // 4, siblings=f"{number % 8},{number % 8 + 8}")
    block = "processor\t: {}\nmodel name\t: Example 9000\nflags\t\t: fpu sse avx2 fma avx512f amx_int8 avx512_vnni\n\n"
    tree.write("/proc/cpuinfo", "".join(block.format(number) for number in range(16)))


def test_cores_are_counted_without_hyper_threads(tree):
    two_sockets(tree)
    read = cpu.read(tree.files)
    assert read["model"] == "Example 9000"
    assert (read["sockets"], read["physical_cores"], read["threads"]) == (2, 8, 16)
    assert read["flags"] == ["amx_int8", "avx2", "avx512_vnni", "avx512f", "fma"]
    assert read["performance_cores"] is None
    assert (read["bandwidth_bytes_per_second"], read["source"]) == (None, None)


def test_a_core_that_is_offline_does_not_count(tree):
    two_sockets(tree)
    tree.write("/sys/devices/system/cpu/online", "0-2,4-15\n")
    tree.cpu(11, socket=0, siblings="11")
    assert (cpu.read(tree.files)["physical_cores"], cpu.read(tree.files)["threads"]) == (8, 15)


def test_two_kinds_of_cores(tree):
    tree.write("/sys/devices/system/cpu/online", "0-7\n")
    for number in range(4):
        tree.cpu(number, 0, f"{number // 2 * 2}-{number // 2 * 2 + 1}")
    for number in range(4, 8):
        tree.cpu(number, 0, str(number))
    tree.write("/sys/devices/cpu_core/cpus", "0-3\n")
    read = cpu.read(tree.files)
    assert (read["physical_cores"], read["performance_cores"]) == (6, 2)


def test_an_arm_machine_is_named_by_its_parts(tree):
    block = "processor\t: {}\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd asimddp i8mm sve2 bf16\nCPU implementer\t: 0x41\nCPU part\t: {}\n\n"
    tree.write("/proc/cpuinfo", "".join(block.format(n, "0xd85" if n < 10 else "0xd87") for n in range(20)))
    read = cpu.read(tree.files)
    assert read["model"] == "Cortex-X925 + Cortex-A725"
    assert read["threads"] == 20
    assert read["flags"] == ["asimd", "asimddp", "i8mm", "sve2"]


def test_nothing_known(tree):
    read = cpu.read(tree.files)
    assert (read["sockets"], read["physical_cores"], read["threads"], read["flags"]) == (None, None, None, None)


def test_a_quota_of_version_2(tree):
    tree.write("/proc/self/cgroup", "0::/a\n")
    tree.write("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    tree.write("/sys/fs/cgroup/a/cpu.max", "150000 100000\n")
    assert cgroup.cpu_quota(tree.files) == 1.5
    assert cpu.read(tree.files)["usable_threads"] == 1


def test_a_quota_of_version_1(tree):
    tree.write("/proc/self/cgroup", "4:cpu,cpuacct:/\n")
    tree.write("/proc/self/mountinfo", "33 31 0:30 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n")
    tree.write_all("/cg/cpu", **{"cpu.cfs_quota_us": 400000, "cpu.cfs_period_us": 100000})
    assert cgroup.cpu_quota(tree.files) == 4.0


@pytest.mark.parametrize("text", ["max 100000", "", "x y", "100000 0"])
def test_no_quota(tree, text):
    tree.write("/proc/self/cgroup", "0::/\n")
    tree.write("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    tree.write("/sys/fs/cgroup/cpu.max", text)
    assert cgroup.cpu_quota(tree.files) is None
    assert cpu.read(tree.files)["usable_threads"] == len(os.sched_getaffinity(0))
