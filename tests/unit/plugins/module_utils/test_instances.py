# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this collection runs on a host, and what it observed there: kept in files that anyone may have broken."""

from __future__ import annotations

import json

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils import instances, measured
from ansible_collections.prositronic.infra.plugins.module_utils.gpu.device import device, process
from ansible_collections.prositronic.infra.tests.unit.hosts.tree import GIB, Tree

STATE = "/var/lib/prositronic"
UNIT = "llama-server-chat.service"
RECORD = {
    "plan_id": "abc",
    "request_id": "def",
    "model_id": "qwen3-30b-a3b",
    "quant": "Q4_K_M",
    "launch": {"n_gpu_layers": 99, "load_mode": "none"},
    "unit": UNIT,
    "gpu_memory_bytes": [{"uuid": "GPU-1", "bytes": 20 * GIB}],
    "host_memory_bytes": 2 * GIB,
}


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def install(tree, name="chat", **changed):
    tree.write(f"{STATE}/instances/{name}.json", json.dumps({**RECORD, **changed}))


def start(tree, pid=100):
    tree.process(
        pid, "llama-server", f"0::/system.slice/{UNIT}\n", VmRSS="9000000 kB", RssAnon="1048576 kB", RssShmem="0 kB"
    )


def gpu(*processes, used=0, uuid="GPU-1"):
    """A card of 48 GiB, 1 GiB reserved; `used` beside the processes."""
    held = used + sum(entry["memory_bytes"] or 0 for entry in processes)
    return device(
        uuid=uuid,
        memory_total_bytes=48 * GIB,
        memory_reserved_bytes=GIB,
        memory_free_bytes=47 * GIB - held,
        processes=list(processes),
    )


def on_gpu(memory, unit=UNIT, pid=100):
    return dict(process(pid, memory), unit=unit)


def test_none(tree):
    assert instances.read(tree.files, STATE, []) == ([], [])


def test_free_and_held_are_what_was_free_before_the_server_ran(tree):
    """So that a plan made while its own server runs is the plan that was made before."""
    install(tree)
    before = gpu(on_gpu(5 * GIB, unit="other.service", pid=7))
    [stopped], _problems = instances.read(tree.files, STATE, [before])
    assert (stopped["active"], stopped["host_memory_bytes"]) == (False, 0)
    assert stopped["gpu_memory_bytes"] == [{"uuid": "GPU-1", "bytes": 0}]

    start(tree)
    # it holds more than was planned
    after = gpu(on_gpu(5 * GIB, unit="other.service", pid=7), on_gpu(21 * GIB))
    [running], _problems = instances.read(tree.files, STATE, [after])
    assert running == {
        "name": "chat",
        "plan_id": "abc",
        "request_id": "def",
        "model": "qwen3-30b-a3b",
        "quant": "Q4_K_M",
        "launch": {"n_gpu_layers": 99, "load_mode": "none"},
        "unit": UNIT,
        "active": True,
        "gpu_memory_bytes": [{"uuid": "GPU-1", "bytes": 21 * GIB}],
        "host_memory_bytes": 2 * GIB,
    }
    assert after["memory_free_bytes"] + running["gpu_memory_bytes"][0]["bytes"] == before["memory_free_bytes"]


def test_a_unit_with_several_processes_on_several_gpus(tree):
    """First those it was installed for, in the order of its launch, whether they are there or not."""
    install(tree, gpu_memory_bytes=[{"uuid": uuid, "bytes": GIB} for uuid in ("GPU-gone", "GPU-3", "GPU-2")])
    start(tree, 100)
    start(tree, 101)
    gpus = [
        gpu(on_gpu(GIB), on_gpu(2 * GIB, pid=101)),
        gpu(uuid="GPU-2"),
        gpu(on_gpu(3 * GIB), uuid="GPU-3"),
    ]
    [instance], _problems = instances.read(tree.files, STATE, gpus)
    assert [(part["uuid"], part["bytes"] // GIB) for part in instance["gpu_memory_bytes"]] == [
        ("GPU-gone", 0),
        ("GPU-3", 3),
        ("GPU-2", 0),
        ("GPU-1", 3),
    ]


@pytest.mark.parametrize("processes", [[on_gpu(None)], []])
def test_the_plan_counts_where_the_driver_does_not_tell_but_never_more_than_is_in_use(tree, processes):
    install(tree)
    start(tree)
    [instance], _problems = instances.read(tree.files, STATE, [gpu(*processes, used=12 * GIB)])
    assert instance["gpu_memory_bytes"] == [{"uuid": "GPU-1", "bytes": 12 * GIB}]


def test_memory_that_others_use_is_not_the_instances(tree):
    """Its server has started and allocated nothing yet."""
    install(tree)
    start(tree)
    [instance], _problems = instances.read(tree.files, STATE, [gpu(on_gpu(30 * GIB, unit="other.service", pid=7))])
    assert instance["gpu_memory_bytes"] == [{"uuid": "GPU-1", "bytes": 0}]


def test_ram_is_what_its_processes_hold(tree):
    """Locked pages count even when they are a file's, other file pages do not."""
    install(tree, host_memory_bytes=GIB)
    tree.process(
        100,
        "llama-server",
        f"0::/system.slice/{UNIT}\n",
        VmRSS=f"{40 * 2**20} kB",
        RssAnon=f"{3 * 2**20} kB",
        RssShmem=f"{1 * 2**20} kB",
        VmLck=f"{30 * 2**20} kB",
    )
    [instance], _problems = instances.read(tree.files, STATE, [])
    assert instance["host_memory_bytes"] == 34 * GIB


@pytest.mark.parametrize("launch", [{}, {"load_mode": "auto"}, {"load_mode": "mmap"}, None])
def test_mapped_weights_are_available_memory(tree, launch):
    """The plan counts them as RAM, the kernel as page cache that can be given up."""
    install(tree, host_memory_bytes=100 * GIB, launch=launch)
    start(tree)
    [instance], _problems = instances.read(tree.files, STATE, [])
    assert instance["host_memory_bytes"] == GIB


def test_locked_memory_of_its_own_is_not_counted_twice(tree):
    install(tree, host_memory_bytes=0)
    size = f"{8 * 2**20} kB"
    tree.process(100, "llama-server", f"0::/system.slice/{UNIT}\n", VmRSS=size, RssAnon=size, VmLck=size)
    [instance], _problems = instances.read(tree.files, STATE, [])
    assert instance["host_memory_bytes"] == 8 * GIB


def test_the_models_of_a_router_are_instances_that_share_what_its_processes_hold(tree):
    """So that a plan for each finds what it was installed as, and nothing counts twice."""
    models = {
        "code": {"plan_id": "c", "request_id": "rc", "model_id": "coder", "launch": {"load_mode": "none"}},
        "chat": {"plan_id": "t", "request_id": "rt", "model_id": "talker", "launch": {"load_mode": "mlock"}},
    }
    models["code"] |= {"gpu_memory_bytes": [{"uuid": "GPU-1", "bytes": 6 * GIB}], "host_memory_bytes": 2 * GIB}
    models["chat"] |= {
        "gpu_memory_bytes": [{"uuid": "GPU-2", "bytes": 8 * GIB}, {"uuid": "GPU-1", "bytes": 3 * GIB}],
        "host_memory_bytes": GIB,
    }
    tree.write(f"{STATE}/instances/all.json", json.dumps({"unit": UNIT, "models": models}))
    gpus = [gpu(on_gpu(12 * GIB), on_gpu(5, pid=7, unit="other.service")), gpu(on_gpu(9 * GIB), uuid="GPU-2")]
    gpus.append(gpu(on_gpu(GIB), uuid="GPU-3"))
    start(tree)
    found, problems = instances.read(tree.files, STATE, gpus)
    assert problems == []
    assert [(one["name"], one["plan_id"], one["request_id"], one["model"]) for one in found] == [
        ("chat", "t", "rt", "talker"),
        ("code", "c", "rc", "coder"),
    ]
    assert {(one["unit"], one["active"]) for one in found} == {(UNIT, True)}
    chat, code = ([(part["uuid"], part["bytes"] // GIB) for part in one["gpu_memory_bytes"]] for one in found)
    # In the order of its launch; what no plan knows of belongs to the first
    assert chat == [("GPU-2", 9), ("GPU-1", 4)]
    assert code == [("GPU-1", 8), ("GPU-3", 1)]
    assert [one["host_memory_bytes"] for one in found] == [GIB, 2 * GIB]


@pytest.mark.parametrize("models", [None, [], {}, {"a": 1}, "x"])
def test_a_record_with_broken_models_is_one_instance(tree, models):
    install(tree, models=models)
    assert [one["plan_id"] for one in instances.read(tree.files, STATE, [])[0]] == ["abc"]


BROKEN = {
    "empty": b"",
    "binary": bytes(range(256)),
    "half": b'{"plan_id": ',
    "list": b"[]",
    "deep": b"[" * 100_000,
    "huge": b'{"a": "' + b"x" * 2**21 + b'"}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_record_is_a_problem_and_the_others_count(tree, name):
    install(tree, "good")
    tree.write(f"{STATE}/instances/bad.json", BROKEN[name])
    found, [problem] = instances.read(tree.files, STATE, [])
    assert [instance["name"] for instance in found] == ["good"]
    assert problem.startswith(f"{STATE}/instances/bad.json is ")
    assert "x" * 20 not in problem


@pytest.mark.parametrize("value", [None, True, "1", [], {}, -1, 2**70, [{"uuid": [], "bytes": 1}], [1], 1.5])
@pytest.mark.parametrize("key", [*RECORD])
def test_values_of_a_record_may_be_anything(tree, key, value):
    install(tree, **{key: value})
    start(tree)
    [instance], problems = instances.read(tree.files, STATE, [gpu(used=GIB)])
    assert problems == []
    assert instance["name"] == "chat"
    assert json.dumps(instance)


def test_other_files_are_no_instances(tree):
    install(tree)
    for name in (".chat.json", "chat.json.tmp", "notes.txt"):
        tree.write(f"{STATE}/instances/{name}", "{}")
    assert [instance["name"] for instance in instances.read(tree.files, STATE, [])[0]] == ["chat"]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_measurements_are_a_problem(tree, name):
    tree.write(f"{STATE}/measured.json", BROKEN[name])
    value, [problem] = measured.read(tree.files, STATE)
    assert value is None
    assert problem.startswith(f"{STATE}/measured.json is ")
