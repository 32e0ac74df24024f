# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planned against measured, figure by figure, each with the error that the plan states for it."""

from __future__ import annotations

import dataclasses
import typing as t

from ..contract.host import Gpu
from ..contract.launch import Launch
from ..contract.measured import MeasuredDevice, MeasuredHost, MeasuredRun
from ..contract.memory import DeviceUse, HostUse, MemoryEstimate
from ..contract.plan import Band, Plan, PlanDevice, Speed
from ..memory.estimate import estimate
from ..model.model import Model
from ..preflight.question import as_counted
from ..units import GIB, figure

# Buffers are told to be exact to a hundredth of what the device holds.
BUFFERS = 0.01

# Code, libraries, vocabulary and threads of a llama.cpp program: 40 to 120 MiB were seen, and vocabularies grow
_PROGRAM_BYTES = 256 << 20

_NAMES = {
    "weights_bytes": "weights",
    "kv_bytes": "KV cache",
    "compute_bytes": "compute buffer",
    "output_bytes": "output buffer",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One figure: planned with its band, and measured. `where` is a device, host, or the depth that a rate was measured at.

    `unit` is bytes or tokens_per_second; `deviation` that of repeated measurements.
    """

    what: str
    where: str
    unit: t.Literal["bytes", "tokens_per_second"]
    low: float
    planned: float
    high: float
    measured: float
    deviation: float | None = None

    @property
    def differs(self) -> bool:
        """Whether it was measured outside of the band."""
        return not self.low <= self.measured <= self.high

    def plain(self) -> dict[str, t.Any]:
        """Return plain data."""
        return dataclasses.asdict(self) | {"differs": self.differs}


def figures(plan: Plan, run: MeasuredRun, benchmarked: MemoryEstimate | None = None) -> list[Figure]:
    """Return all figures that were both planned and measured.

    :param benchmarked: what a benchmark was to take, whose context is not that of the plan; see `benchmark_memory`.
    """
    found: list[Figure] = []
    if plan.memory:
        uses: t.Sequence[DeviceUse] = plan.memory.devices
        host: HostUse | None = plan.memory.host
        if run.source == "llama-bench":
            uses, host = (benchmarked.devices, benchmarked.host) if benchmarked else ([], None)
        for use, seen in zip(uses, run.devices, strict=False):
            found += _buffers(use.name, use, seen, use.total_bytes)
            if seen.held_bytes is not None:
                error = use.overhead_bytes + BUFFERS * use.total_bytes
                found.append(_memory("in all", use.name, use.total_bytes, seen.held_bytes, error))
        if benchmarked and not run.devices and run.host.held_bytes:
            found.append(_of_program(benchmarked.host.total_bytes, run.host.held_bytes))
        if host:
            found += _buffers("host", host, run.host, host.total_bytes)
    bands = _speeds(plan)
    for rate in run.rates:
        speeds = list(bands.values()) if rate.depth is None else [bands[rate.depth]] if rate.depth in bands else []
        where = "in use" if rate.depth is None else f"at {rate.depth:,} tokens"
        if rate.prefill_tokens_per_second and rate.depth in (None, 0):
            prompt = [each.prefill_tokens_per_second for each in speeds if each.prefill_tokens_per_second]
            found += _rate("prompt", where, prompt, rate.prefill_tokens_per_second, rate.prefill_deviation)
        if rate.decode_tokens_per_second:
            decode = [each.decode_tokens_per_second for each in speeds]
            found += _rate("generation", where, decode, rate.decode_tokens_per_second, rate.decode_deviation)
    return found


def benchmark_memory(plan: Plan, model: Model, context: int) -> MemoryEstimate:
    """Return what llama-bench takes with the options of a plan: one sequence of `context` tokens, a row of logits for each
    token of a micro-batch.

    :raises ValueError: the file is no model of the plan's launch.
    """
    counted = as_counted(plan.launch or Launch())
    launch = counted.model_copy(update={"ctx_size": context, "parallel": 1, "kv_unified": False})
    devices = plan.memory.devices if plan.memory else []
    gpus = [Gpu(memory_free_bytes=device.free_bytes) for device in devices]
    rows = launch.ubatch_size or 512
    answer = estimate(model, launch, gpus, plan.engine.version, rows)
    kept = [_with_overhead(use, device) for use, device in zip(answer.devices, devices, strict=True)]
    return answer.model_copy(update={"devices": kept})


def table(found: t.Sequence[Figure]) -> list[str]:
    """Return the figures as lines; one that differs begins with an exclamation mark."""
    rows = [("", "", "planned", "band", "measured")]
    for each in found:
        rows.append(
            (
                "!" if each.differs else " ",
                name(each),
                shown(each.planned, each.unit),
                f"{shown(each.low, each.unit)} to {shown(each.high, each.unit)}",
                shown(each.measured, each.unit) + (" GiB" if each.unit == "bytes" else " tokens/s"),
            )
        )
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    return [
        "  ".join(
            cell.rjust(width) if place > 1 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def differences(found: t.Sequence[Figure]) -> list[str]:
    """Return a sentence for each figure outside of its band."""
    units = {"bytes": "GiB", "tokens_per_second": "tokens/s"}
    return [
        f"{name(each)}: {shown(each.measured, each.unit)} {units[each.unit]} measured, planned were"
        f" {shown(each.low, each.unit)} to {shown(each.high, each.unit)}"
        for each in found
        if each.differs
    ]


def name(each: t.Any) -> str:
    """Return what a figure is called: `GPU0 KV cache`, `generation at 8,192 tokens`."""
    return f"{each.what} {each.where}" if each.unit == "tokens_per_second" else f"{each.where} {each.what}"


def shown(value: float, unit: str) -> str:
    """Return a value as people read it: GiB, or tokens per second."""
    return f"{value / GIB:,.3f}" if unit == "bytes" else figure(value)


def _buffers(where: str, use: DeviceUse | HostUse, seen: MeasuredDevice | MeasuredHost, total: int) -> list[Figure]:
    """Return a figure for each buffer that was looked at; two that are smaller than the error have nothing to tell."""
    error = BUFFERS * total
    pairs = [(name, getattr(use, key, None), getattr(seen, key, None)) for key, name in _NAMES.items()]
    return [
        _memory(name, where, planned, measured, error)
        for name, planned, measured in pairs
        if planned is not None and measured is not None and max(planned, measured) > error
    ]


def _memory(what: str, where: str, planned: int, measured: int, error: float) -> Figure:
    return Figure(what, where, "bytes", max(0.0, planned - error), planned, planned + error, measured)


def _of_program(planned: int, measured: int) -> Figure:
    """Return the figure of a process that uses no GPU: its buffers, not every page of them touched, and the program itself."""
    return Figure("in all", "host", "bytes", 0.9 * planned, planned, planned + _PROGRAM_BYTES, measured)


def _rate(what: str, where: str, bands: t.Sequence[Band], measured: float, deviation: float | None) -> list[Figure]:
    """Return the figure of a rate; of several depths the band covers all, and the first is what was planned."""
    if not bands:
        return []
    low, high = min(band.low for band in bands), max(band.high for band in bands)
    return [Figure(what, where, "tokens_per_second", low, bands[0].expected, high, measured, deviation)]


def _speeds(plan: Plan) -> dict[int, Speed]:
    """Return what a plan says of its speed, by depth of context."""
    if plan.speed is None:
        return {}
    rungs = [rung.speed for rung in plan.ladder if rung.speed and rung.placement == plan.placement]
    speeds: dict[int, Speed] = {plan.speed.depth: plan.speed}
    for speed in rungs:
        speeds.setdefault(speed.depth, speed)
    return speeds


def _with_overhead(use: DeviceUse, device: PlanDevice) -> DeviceUse:
    own = use.weights_bytes + use.kv_bytes + use.compute_bytes
    return use.model_copy(update={"overhead_bytes": device.overhead_bytes, "total_bytes": own + device.overhead_bytes})
