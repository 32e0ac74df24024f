# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RAM as hosts, containers and machines that share it with a GPU have it."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.machine import memory, numa
from ansible_collections.prositronic.infra.tests.unit.hosts.tree import GIB, Tree

KIB = 1024
V2 = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
)


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path)
    tree.memory(256 * GIB, 200 * GIB, HugePages_Total="0", Hugepagesize="2048 kB")
    return tree


def group(tree, path, **files):
    tree.write_all(f"/sys/fs/cgroup/{path}", **{key.replace("__", "."): value for key, value in files.items()})


def test_a_host(tree):
    assert memory.read(tree.files) == {
        "total_bytes": 256 * GIB,
        "available_bytes": 200 * GIB,
        "limit_bytes": None,
        "huge_pages_bytes": 0,
    }


def test_nothing_known(tmp_path):
    assert set(memory.read(Tree(tmp_path).files).values()) == {None}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"Hugetlb": "67108864 kB", "HugePages_Total": "1"}, 64 * GIB),  # pages of 1 GiB count, too
        ({"HugePages_Total": "512", "Hugepagesize": "2048 kB"}, GIB),
    ],
)
def test_huge_pages_are_told(tmp_path, told, expected):
    tree = Tree(tmp_path)
    tree.memory(256 * GIB, 100 * GIB, **told)
    assert memory.read(tree.files)["huge_pages_bytes"] == expected


def test_a_container_of_version_2_sees_its_own_limit(tree):
    """Its namespace shows its group as the top."""
    tree.write("/proc/self/cgroup", "0::/\n")
    tree.write("/proc/self/mountinfo", V2)
    stat = "anon 1\ninactive_file 1073741824\nactive_file 1073741824\nslab_reclaimable 0"
    group(tree, "", memory__max=32 * GIB, memory__current=20 * GIB, memory__stat=stat)
    read = memory.read(tree.files)
    assert (read["total_bytes"], read["limit_bytes"]) == (32 * GIB, 32 * GIB)
    assert read["available_bytes"] == (32 - 20 + 2) * GIB  # cached files are given up


def test_the_tightest_group_on_the_way_up_counts(tree):
    tree.write("/proc/self/cgroup", "0::/machine.slice/outer.service/inner\n")
    tree.write("/proc/self/mountinfo", V2)
    group(tree, "machine.slice/outer.service/inner", memory__max="max", memory__current=0)
    group(tree, "machine.slice/outer.service", memory__max=16 * GIB, memory__current=15 * GIB)
    group(tree, "machine.slice", memory__max=64 * GIB, memory__current=30 * GIB)
    read = memory.read(tree.files)
    assert (read["total_bytes"], read["available_bytes"]) == (16 * GIB, 1 * GIB)


def test_a_limit_of_a_login_session_does_not_bind_services(tree):
    tree.write("/proc/self/cgroup", "0::/user.slice/user-1000.slice/session-1.scope\n")
    tree.write("/proc/self/mountinfo", V2)
    group(tree, "user.slice/user-1000.slice", memory__max=4 * GIB, memory__current=GIB)
    assert memory.read(tree.files)["total_bytes"] == 256 * GIB


def test_a_container_of_version_1_sees_its_own_limit(tree):
    """Without a namespace the path is the host's, and the mount shows the part of the tree that is the container's."""
    tree.write("/proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n")
    tree.write("/proc/self/mountinfo", "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
    stat = "cache 9\ninactive_file 7\ntotal_inactive_file 1073741824\ntotal_active_file 0"
    group(tree, "memory", memory__limit_in_bytes=8 * GIB, memory__usage_in_bytes=6 * GIB, memory__stat=stat)
    read = memory.read(tree.files)
    assert (read["total_bytes"], read["available_bytes"], read["limit_bytes"]) == (8 * GIB, 3 * GIB, 8 * GIB)


def test_version_1_without_a_limit(tree):
    tree.write("/proc/self/cgroup", "5:memory:/x\n0::/\n")
    tree.write("/proc/self/mountinfo", V1 + V2)
    group(tree, "memory/x", memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=6 * GIB)
    assert memory.read(tree.files)["limit_bytes"] is None


def test_a_limit_above_the_memory_is_none(tree):
    tree.write("/proc/self/cgroup", "0::/\n")
    tree.write("/proc/self/mountinfo", V2)
    group(tree, "", memory__max=512 * GIB, memory__current=0)
    read = memory.read(tree.files)
    assert (read["total_bytes"], read["limit_bytes"]) == (256 * GIB, None)


def test_the_host_may_have_less_left_than_the_container(tree):
    tree.write("/proc/self/cgroup", "0::/\n")
    tree.write("/proc/self/mountinfo", V2)
    tree.memory(256 * GIB, 3 * GIB)
    group(tree, "", memory__max=32 * GIB, memory__current=0)
    assert memory.read(tree.files)["available_bytes"] == 3 * GIB


def test_the_memory_of_a_gpu_is_not_counted_twice(tree):
    """GH200: the kernel has the GPU's 96 GiB as a node without CPUs, in MemTotal and MemAvailable."""
    tree.memory((480 + 96) * GIB, (470 + 90) * GIB)
    tree.write("/sys/devices/system/node/online", "0-1\n")
    tree.node(0, 480 * GIB, 400 * GIB, "0-71")
    tree.node(1, 96 * GIB, 90 * GIB, "")
    tree.write("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 1\nStatus: online\n")
    read = memory.read(tree.files)
    assert (read["total_bytes"], read["available_bytes"]) == (480 * GIB, 470 * GIB)
    assert numa.read(tree.files) == [{"node": 0, "cpus": "0-71", "memory_total_bytes": 480 * GIB}]


def test_a_node_without_cpus_that_is_no_gpus_stays(tree):
    """Memory behind CXL."""
    tree.write("/sys/devices/system/node/online", "0,2\n")
    tree.node(0, 128 * GIB, GIB, "0-31")
    tree.node(2, 128 * GIB, GIB, "")
    assert memory.read(tree.files)["total_bytes"] == 256 * GIB
    assert [node["node"] for node in numa.read(tree.files)] == [0, 2]
