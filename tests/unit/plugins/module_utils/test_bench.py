# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""llama-bench on the host: a stand-in prints entries as the real one of llama.cpp 0.7.0 does, and holds memory."""

from __future__ import annotations

import json
import sys

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils import bench
from ansible_collections.prositronic.infra.plugins.module_utils.bounded import Broken

MIB = 2**20
MODEL = {"build_number": 11669, "model_n_params": 2508032, "model_size": 10032128}
ENTRIES = [
    {**MODEL, "n_prompt": 64, "n_gen": 0, "n_depth": 0, "avg_ts": 2510.512724, "stddev_ts": 2.857277},
    {**MODEL, "n_prompt": 64, "n_gen": 0, "n_depth": 256, "avg_ts": 2100.0, "stddev_ts": 1.0},
    {**MODEL, "n_prompt": 0, "n_gen": 16, "n_depth": 0, "avg_ts": 823.346622, "stddev_ts": 148.034525},
    {**MODEL, "n_prompt": 0, "n_gen": 16, "n_depth": 256, "avg_ts": 700.0, "stddev_ts": 0.0},
]


@pytest.fixture
def program(tmp_path):
    """A program that does so, by its Python."""

    def write(text):
        path = tmp_path / "llama-bench"
        path.write_text(f"#!{sys.executable} -IS\nimport sys, time\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_rates_by_depth():
    told = bench.read(ENTRIES)
    assert told["build"] == 11669
    assert told["model"] == {"parameters": 2508032, "bytes": 10032128}
    assert told["context"] == 320
    assert [rate["depth"] for rate in told["rates"]] == [0, 256]
    assert told["rates"][0] == {
        "depth": 0,
        "prompt_tokens": 64,
        "prefill_tokens_per_second": 2510.513,
        "prefill_deviation": 2.857,
        "decode_tokens_per_second": 823.347,
        "decode_deviation": 148.035,
    }


def test_the_most_memory_that_it_held_is_seen(program):
    text = f"held = bytearray({64 * MIB}); held[::4096] = b'x' * len(held[::4096]); time.sleep(0.3); print('''%s''')"
    told = bench.run(program(text % json.dumps(ENTRIES)), ["--model", "x"], {}, 30.0)
    assert 64 * MIB < told["host_held_bytes"] < 256 * MIB
    assert told["rates"] == bench.read(ENTRIES)["rates"]
    assert told["gpus"] == []


LOG = """
load_tensors:        CUDA0 model buffer size =     9.50 MiB
llama_context: constructing llama_context
llama_kv_cache:      CUDA0 KV buffer size =     0.50 MiB
sched_reserve:      CUDA0 compute buffer size =     0.75 MiB
sched_reserve:  CUDA_Host compute buffer size =     0.25 MiB
~llama_context:      CUDA0 compute buffer size is   0.7500 MiB, matches expectation of   0.7500 MiB
llama_context: constructing llama_context
llama_kv_cache:      CUDA0 KV buffer size =     1.00 MiB
sched_reserve:      CUDA0 compute buffer size =     3.75 MiB
llama_context: constructing llama_context
llama_kv_cache:      CUDA0 KV buffer size =     1.00 MiB
sched_reserve:      CUDA0 compute buffer size =     3.25 MiB
"""


def test_of_several_contexts_the_largest_counts():
    [device] = bench.allocated(LOG).devices
    assert device == {
        "device": "CUDA0",
        "weights_bytes": int(9.5 * MIB),
        "kv_bytes": MIB,
        "compute_bytes": int(3.75 * MIB),
    }
    assert bench.allocated("nothing of use") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "print('main: error: failed to load model', file=sys.stderr); sys.exit(1)",
            "failed: main: error: failed to load",
        ),
        ("sys.exit(3)", "failed: exit status 3"),
        ("print('no JSON')", "printed no results"),
        ("print('[]')", "printed no results"),
        ("print('[{\"n_prompt\": 1}]')", "printed no results"),
        ("time.sleep(60)", "did not finish within"),
    ],
)
def test_what_goes_wrong_is_said(program, text, reason):
    with pytest.raises(Broken, match=reason):
        bench.run(program(text), [], {}, 1.0)


def test_what_the_driver_counts_of_it_is_watched(monkeypatch):
    readings = iter([(900, ["power"]), (1000, []), (950, [])])

    def read(*_arguments):
        mib, limits = next(readings)
        gpu = {"uuid": "GPU-1", "processes": [{"pid": 7, "memory_bytes": mib * MIB}], "clocks_limited_by": limits}
        other = {"uuid": "GPU-2", "processes": [{"pid": 8, "memory_bytes": 5}], "clocks_limited_by": ["thermal"]}
        return bench.probe.Reading([other, gpu], {"version": "580.95.05"}, [])

    monkeypatch.setattr(bench.probe, "read", read)
    monkeypatch.setattr(bench, "_LOOK_SECONDS", 0.0)
    watch = bench.Watch(bench.Files())
    for _look in range(3):
        watch.look(7)
    assert watch.gpus == {1: {"index": 1, "uuid": "GPU-1", "held_bytes": 1000 * MIB, "clocks_limited_by": ["power"]}}
    assert watch.driver == "580.95.05"
