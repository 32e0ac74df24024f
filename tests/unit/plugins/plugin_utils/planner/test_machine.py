# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.request import Reserve
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.machine import RAM_STEP, VRAM_STEP, machine

GIB = 1 << 30


def _host(**changes):
    host = {
        "gpus": [{"uuid": "GPU-a", "vendor": "nvidia", "memory_total_bytes": 24 * GIB, "memory_free_bytes": 4 * GIB}],
        "memory": {"total_bytes": 64 * GIB, "available_bytes": 20 * GIB},
    }
    return InferenceHost.read(host | changes, "host")


def test_what_our_own_instance_holds_counts_as_free():
    ours = {
        "name": "chat",
        "gpu_memory_bytes": [{"uuid": "GPU-a", "bytes": 18 * GIB}, {"uuid": "GPU-b", "bytes": GIB}],
        "host_memory_bytes": 8 * GIB,
    }
    place = machine(_host(instances=[ours]), Reserve())
    assert [device.free_bytes for device in place.devices] == [22 * GIB]
    assert place.ram_bytes == (20 + 8 - 4) * GIB


def test_another_instance_keeps_what_it_holds():
    other = {"name": "code", "gpu_memory_bytes": [{"uuid": "GPU-a", "bytes": 18 * GIB}]}
    place = machine(_host(instances=[other]), Reserve(), replaces="chat")
    assert [device.free_bytes for device in place.devices] == [4 * GIB]


def test_free_never_exceeds_what_there_is():
    ours = {"name": "chat", "gpu_memory_bytes": 99 * GIB, "host_memory_bytes": 99 * GIB}
    place = machine(_host(instances=[ours]), Reserve())
    assert place.devices[0].free_bytes == 24 * GIB
    assert place.ram_bytes == 60 * GIB


def test_jitter_within_a_step_changes_nothing():
    calm = _host(
        gpus=[{"vendor": "nvidia", "memory_free_bytes": 10 * VRAM_STEP}],
        memory={"total_bytes": 64 * GIB, "available_bytes": 200 * RAM_STEP},
    )
    jittery = _host(
        gpus=[{"vendor": "nvidia", "memory_free_bytes": 11 * VRAM_STEP - 1}],
        memory={"total_bytes": 64 * GIB, "available_bytes": 201 * RAM_STEP - 1},
    )
    assert machine(calm, Reserve()).signature == machine(jittery, Reserve()).signature


def test_a_gpu_of_unknown_memory_is_left_out_and_named():
    place = machine(_host(gpus=[{"name": "Oddity", "memory_total_bytes": GIB}]), Reserve())
    assert place.devices == ()
    assert place.warnings == ("GPU 0 (Oddity) is left out: its free memory is not known",)


def test_the_vendor_with_the_most_memory_is_used():
    small = {"vendor": "amd", "memory_free_bytes": 2 * GIB}
    large = {"vendor": "nvidia", "memory_free_bytes": 8 * GIB}
    place = machine(_host(gpus=[small, large, small]), Reserve())
    assert [device.index for device in place.devices] == [1]
    assert len(place.warnings) == 1


def test_a_small_machine_reserves_an_eighth_and_a_large_one_four_gib():
    small = machine(_host(memory={"total_bytes": 8 * GIB}), Reserve())
    large = machine(_host(memory={"total_bytes": 64 * GIB}), Reserve())
    assert (small.ram_bytes, large.ram_bytes) == (7 * GIB, 60 * GIB)


def _exclusive(*processes, mode="exclusive-process"):
    return {
        "uuid": "GPU-a",
        "vendor": "nvidia",
        "memory_free_bytes": 4 * GIB,
        "compute_mode": mode,
        "processes": [{"pid": 7, "unit": unit} for unit in processes],
    }


def test_a_gpu_that_another_process_has_for_itself_is_left_out():
    place = machine(_host(gpus=[_exclusive("train.service")]), Reserve())
    assert place.devices == ()
    assert "exclusive-process" in place.warnings[0]
    for free in (_exclusive(), _exclusive("train.service", mode="default")):
        assert len(machine(_host(gpus=[free]), Reserve()).devices) == 1


def test_the_process_that_makes_room_for_its_successor_takes_nothing_away():
    ours = {"name": "chat", "unit": "llama-server-chat.service"}
    host = _host(gpus=[_exclusive("llama-server-chat.service")], instances=[ours])
    assert len(machine(host, Reserve(), replaces="chat").devices) == 1
    assert machine(host, Reserve(), replaces="code").devices == ()


def test_whole_cards_work_together_and_a_slice_alone():
    cards = [{"vendor": "nvidia", "memory_free_bytes": 8 * GIB} for _card in range(2)]
    slices = [{**card, "mig": {"profile": "1g.10gb"}} for card in cards]
    place = machine(_host(gpus=[cards[0], slices[0], cards[1], slices[1]]), Reserve())
    assert [[device.index for device in group] for group in place.groups] == [[0, 2], [1], [3]]
