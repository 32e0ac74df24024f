# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seconds for a prompt: arithmetic, with every weight read once a batch, and the copying of what the host holds."""

from __future__ import annotations

import typing as t

from .disk import disk_bytes
from .host_rates import HostRates
from .rates import EXPECTED, DeviceRates
from .work import Load, Part, Work

# Batches of this many tokens and more are computed by the first GPU even where the host holds the weights
# (`op_offload_min_batch_size` of ggml's CUDA backend).
OFFLOAD_BATCH = 32


def prefill_seconds(
    work: Work,
    devices: t.Sequence[DeviceRates],
    host: HostRates,
    tokens: int,
    ubatch: int = 512,
    ram_bytes: float | None = None,
    op_offload: bool = True,
    pace: int = EXPECTED,
) -> float:
    """Return the seconds until a prompt of so many tokens is read.

    A micro-batch reads every dense weight once and every expert that one of its tokens is sent to, then multiplies.
    With several GPUs and all weights on them, each works on another micro-batch: the first one passes them all, the
    others follow behind the slowest GPU. What the host holds is copied to the first GPU for each micro-batch, or
    computed by the CPU where the batch is small, `op_offload` is off, or there is no GPU.
    """
    full, rest = divmod(max(1, tokens), max(1, ubatch))
    seconds = 0.0
    for batch, number in ((ubatch, full), (rest, 1)):
        if not batch or not number:
            continue
        times = [_on_device(work, part, rates, batch, pace) for part, rates in zip(work.parts, devices, strict=True)]
        beside = _host(work, devices, host, batch, ram_bytes, op_offload, pace) + work.hops * host.hop[pace]
        if work.pipelined:
            through = sum(times) - max(times) if not seconds else 0.0
            seconds += through + number * (max(times) + beside)
        else:
            seconds += number * (sum(times) + beside)
    return seconds + work.logits * host.sample[pace]


def _stored(load: Load, batch: int, share: float) -> float:
    """Return the bytes of experts that a batch reads: those that some token of it is sent to."""
    return load.stored_bytes * (1 - (1 - share) ** batch)


def _computing(work: Work, part: Part, rates: DeviceRates, batch: int, pace: int) -> float:
    """Return the seconds of a batch's arithmetic on a GPU: narrow matrices and half-empty tiles leave it partly idle."""
    dense, experts = part
    flops = batch * (dense.flops + dense.attention_flops)
    if experts.flops:
        flops += experts.flops * (batch + rates.expert_tile / work.expert_share)
    return flops / rates.flops[pace] * (1 + rates.half_width / max(1, work.width))


def _on_device(work: Work, part: Part, rates: DeviceRates, batch: int, pace: int) -> float:
    dense, experts = part
    return (
        _computing(work, part, rates, batch, pace)
        + (dense.stored_bytes + _stored(experts, batch, work.expert_share) + dense.cache_bytes) / rates.read[pace]
        + (dense.kernels + experts.kernels) * rates.batch_launch[pace]
    )


def _host(
    work: Work,
    devices: t.Sequence[DeviceRates],
    host: HostRates,
    batch: int,
    ram_bytes: float | None,
    op_offload: bool,
    pace: int,
) -> float:
    dense, experts = work.host
    weights = dense.stored_bytes + _stored(experts, batch, work.expert_share)
    if not weights:
        return 0.0
    fetched = 0.0
    if ram_bytes is not None:
        held = dense.stored_bytes + experts.stored_bytes
        # a batch passes over everything once, as dense layers are passed over
        fetched = disk_bytes(weights, 0.0, held, ram_bytes)[pace] / host.disk[pace]
    if op_offload and devices and batch >= OFFLOAD_BATCH:
        copied = weights / devices[0].upload[pace]
        return fetched + copied + _computing(work, work.host, devices[0], batch, pace)
    flops = batch * (dense.flops + dense.attention_flops + experts.flops)
    steps = (dense.kernels + experts.kernels) * host.step[pace]
    return fetched + weights / host.read[pace] + flops / host.flops[pace] + steps
