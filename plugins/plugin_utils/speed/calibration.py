# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few figures of the speed rules that no data sheet tells.

They belong to kinds of hardware and to how llama.cpp works, never to one card or one model. `CALIBRATED` is what
`benchmarks/speed_accuracy.py --fit` finds on the measurements in `tests/conformance/data/speed.jsonl.xz`, rounded; the
same command refits them without each GPU in turn and tells how far off the rules are on the one left out.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """Shares are of the data sheet's rate; times are seconds.

    Reading: `read_share` of the bandwidth of GDDR and LPDDR, `stacked_read_share` of stacked memory (HBM), whose width a
    single token cannot fill; `cache_share` for keys and values. `unpack_bytes`: what unpacking one quantised value
    costs, as bytes read beside it. Launching a kernel: `graph_launch` where llama.cpp replays a CUDA graph,
    `stream_launch` where it launches one by one, `hip_launch` on AMD and Intel. A launch mostly waits for
    memory and for the last thread, which takes cycles: NVIDIA's chips before Ada, and those with stacked memory, run at
    lower clocks and take `slow_clock` times as long in a graph.

    The CPU: `host_read_share` of the memory's bandwidth, `host_step` for handing one matrix to all threads. `hop`: handing
    a token from one device to another. `sample`: choosing among the logits, for each.

    Arithmetic of a batch: `flops_share` of the dense FP16 tensor rate with matrices as wide as one likes, half of it at an
    embedding of `half_width`; an expert's tokens count for `expert_tile` more, since the kernels compute whole tiles.
    `upload_share` of the PCIe link is reached by weights copied to a GPU that computes for the host.

    `spread`: the factor that a well-known rate may be off, so that nine in ten measurements are inside the band; rates known
    less well are off by a power of it (see rates.py). `batch_spread` is the same for batches.
    """

    read_share: float = 0.95
    stacked_read_share: float = 0.73
    cache_share: float = 0.75
    unpack_bytes: float = 0.1
    graph_launch: float = 1.35e-6
    slow_clock: float = 1.7
    stream_launch: float = 6.4e-6
    hip_launch: float = 5e-6
    host_read_share: float = 0.7
    host_step: float = 8e-6
    hop: float = 30e-6
    sample: float = 2e-9
    flops_share: float = 0.53
    half_width: float = 1000.0
    expert_tile: float = 31.0
    upload_share: float = 0.8
    spread: float = 1.25
    batch_spread: float = 2.4


CALIBRATED = Calibration()
