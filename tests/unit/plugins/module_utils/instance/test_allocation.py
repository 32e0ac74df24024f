# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Buffers out of what llama-server 0.7.0 prints with verbosity 4."""

from __future__ import annotations

from ansible_collections.prositronic.infra.plugins.module_utils.instance import allocation

MIB = 2**20
LOG = """
0.00.042.211 I load_tensors:   CPU_Mapped model buffer size =     9.57 MiB
0.00.042.212 I load_tensors:        CUDA0 model buffer size =  4096.50 MiB
0.00.042.213 I load_tensors:        CUDA1 model buffer size =  2048.00 MiB
0.00.042.425 I llama_context:  CUDA_Host  output buffer size =     1.16 MiB
0.00.042.530 I llama_kv_cache:      CUDA0 KV buffer size =   100.00 MiB
0.00.042.540 I llama_kv_cache:      CUDA0 KV buffer size =    24.00 MiB
0.00.042.550 I llama_memory_recurrent:      CUDA1 RS buffer size =     8.25 MiB
0.00.047.175 I llama_kv_cache: size =    4.00 MiB (  1024 cells,   4 layers,  2/2 seqs), K (f16):    2.00 MiB
0.00.049.379 I sched_reserve:      CUDA0 compute buffer size =   300.75 MiB
0.00.049.379 I sched_reserve:  CUDA_Host compute buffer size =     6.52 MiB
"""


def test_buffers_by_device_and_kind():
    found = allocation.read(LOG.splitlines())
    assert found.devices == [
        {
            "device": "CUDA0",
            "weights_bytes": int(4096.5 * MIB),
            "kv_bytes": 124 * MIB,
            "compute_bytes": int(300.75 * MIB),
        },
        {"device": "CUDA1", "weights_bytes": 2048 * MIB, "kv_bytes": int(8.25 * MIB), "compute_bytes": 0},
    ]
    assert found.host == {
        "weights_bytes": round(9.57 * MIB),
        "kv_bytes": 0,
        "compute_bytes": round(6.52 * MIB),
        "output_bytes": round(1.16 * MIB),
    }


def test_a_projector_is_not_the_models():
    """Its server prints these after the model's own, in the same words."""
    projector = """
0.01.512.402 I alloc_compute_meta:      CUDA0 compute buffer size =   248.10 MiB
0.01.512.403 I alloc_compute_meta:        CPU compute buffer size =    11.25 MiB
"""
    assert allocation.read((LOG + projector).splitlines()) == allocation.read(LOG.splitlines())
    assert allocation.read(projector.splitlines()) is None


def test_a_log_without_them_tells_nothing():
    assert allocation.read(["0.00.154.255 I srv  llama_server: model loaded"]) is None
