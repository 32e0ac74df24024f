# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The measurement of memory, on this machine, with buffers kept small."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.host_files import Files
from ansible_collections.prositronic.infra.plugins.module_utils.machine import measure, memory_bandwidth

MIB = 2**20
CPU = {"model": "x", "bandwidth_bytes_per_second": None, "source": None}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(memory_bandwidth, "_LEAST_BYTES", 64 * MIB)
    monkeypatch.setattr(memory_bandwidth, "_MOST_BYTES", 64 * MIB)


def test_a_rate_is_measured_in_a_process_of_its_own():
    threads = threading.active_count()
    cpu, _problems = measure.memory(Files(), CPU, {"available_bytes": 1024 * MIB}, 0.2)
    assert cpu["source"] == "measured"
    # one core of anything that runs this reads more than 100 MB and less than 10 TB in a second
    assert 1e8 < cpu["bandwidth_bytes_per_second"] < 1e13
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("rates", "told"), [([7e9, 9e9, 10e9], None), ([2e9, 6e9, 10e9], "gave 2.0 to 10.0 GB/s, so other work runs")]
)
def test_the_best_round_counts_and_a_busy_host_is_told(monkeypatch, rates, told):
    monkeypatch.setattr(memory_bandwidth, "measure", lambda *_arguments: rates)
    cpu, problems = measure.memory(Files(), CPU, {"available_bytes": 0}, 0.2)
    assert cpu["bandwidth_bytes_per_second"] == 10_000_000_000
    assert [told in problem for problem in problems] == ([True] if told else [])


@pytest.mark.parametrize("available", [0, None, 100 * MIB])
def test_too_little_memory_is_a_problem(available):
    cpu, [problem] = measure.memory(Files(), CPU, {"available_bytes": available}, 0.2)
    assert cpu == CPU
    assert "256 MiB of memory must be available" in problem


def test_one_thread_per_core(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_bandwidth.os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3, 9})
    for cpu, siblings in ((0, "0,8"), (1, "1,9"), (2, "2-3"), (3, "2-3"), (9, "1,9")):
        path = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        path.mkdir(parents=True)
        (path / "thread_siblings_list").write_text(siblings + "\n")
    assert memory_bandwidth.one_cpu_per_core(Files(str(tmp_path))) == [0, 1, 2]


def test_buffers_are_larger_than_all_caches(tmp_path):
    (tmp_path / "sys/devices/system/cpu").mkdir(parents=True)
    (tmp_path / "sys/devices/system/cpu/online").write_text("0-3\n")
    for cpu in range(4):
        for index, size, shared in ((2, "1024K", str(cpu)), (3, "32768K", "0-1" if cpu < 2 else "2-3")):
            path = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
            path.mkdir(parents=True)
            (path / "size").write_text(size + "\n")
            (path / "shared_cpu_list").write_text(shared + "\n")
    assert memory_bandwidth._cache_bytes(Files(str(tmp_path))) == 2 * 32 * MIB
