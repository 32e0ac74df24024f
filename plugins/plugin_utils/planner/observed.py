# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured of a model on a host, which goes before what rules say: overhead of its GPUs, rates of a launch."""

from __future__ import annotations

import typing as t

from ..contract.launch import Launch
from ..contract.measured import MeasuredRate, MeasuredRun
from ..contract.memory import DeviceUse, MemoryEstimate, MemoryLine
from ..measurement.counted import counted
from ..speed.estimate import MeasuredSpeed
from .costs import Costs
from .layout import Layout
from .machine import Device, Machine

# Options that decide how fast a token is, besides the devices.
_DECISIVE = (
    "n_gpu_layers",
    "cpu_moe",
    "n_cpu_moe",
    "tensor_split",
    "split_mode",
    "override_tensor",
    "no_kv_offload",
    "cache_type_k",
    "cache_type_v",
    "ubatch_size",
    "flash_attn",
    "spec_type",
)
# What an estimate tells of a GPU besides llama.cpp's own buffers, and the one figure for it where it was measured.
_OVERHEAD = ("CUDA context", "cuBLAS workspace", "CUDA memory pool")
OUTSIDE = "outside llama.cpp's buffers"


class Observed:
    """The runs of this model by this build of the engine on this host, the newest first; others do not count."""

    def __init__(self, place: Machine, costs: Costs) -> None:
        model, measured = costs.model, place.host.measured
        self.runs: list[MeasuredRun] = []
        if measured is not None and measured.runs:
            by_name = model.basis != "file"
            self.runs = counted(
                measured,
                engine=costs.engine["version"],
                parameters=costs.parameters,
                tensor_bytes=costs.model_bytes,
                model_id=model.id if by_name else None,
                quant=model.quant if by_name else None,
            )

    def overhead(self, device: Device) -> int | None:
        """Return the bytes that a process held on a GPU beside its buffers when it was last looked at; None if never."""
        for run in self.runs:
            if run.launch.mmproj or run.launch.model_draft or run.launch.lora:
                continue  # what is loaded beside the model is in what the process held, and in none of its buffers
            for use in run.devices:
                buffers = (use.weights_bytes, use.kv_bytes, use.compute_bytes)
                if use.uuid and use.uuid == device.gpu.uuid and use.held_bytes and None not in buffers:
                    return max(0, use.held_bytes - sum(size or 0 for size in buffers))
        return None

    def applied(self, memory: MemoryEstimate, devices: t.Sequence[Device]) -> MemoryEstimate:
        """Return an estimate with the measured overhead of each device instead of the assumed one."""
        known = {use.name: self.overhead(device) for use, device in zip(memory.devices, devices, strict=True)}
        if all(size is None for size in known.values()):
            return memory
        uses, lines = [], list(memory.lines)
        for use in memory.devices:
            size = known[use.name]
            if size is None or not use.total_bytes:
                uses.append(use)
                continue
            uses.append(_with_overhead(use, size))
            lines = [line for line in lines if line.where != use.name or line.what not in _OVERHEAD]
            lines.append(MemoryLine(what=OUTSIDE, where=use.name, bytes=size, basis="measured"))
        return memory.model_copy(update={"devices": uses, "lines": lines})

    def speed(self, layout: Layout, launch: Launch, depth: int) -> MeasuredSpeed | None:
        """Return the rates of a launch with so many tokens in the context, None where it was not measured at that depth.

        A benchmark, which is alone, goes before a server in use, whose depth nobody knows.
        """
        runs = [run for run in self.runs if _same(run, layout, launch)]
        for source in ("llama-bench", "llama-server"):
            for run in runs:
                rates = [rate for rate in run.rates if run.source == source and (rate.depth or 0) == depth]
                decode = _first(rates, lambda rate: rate.decode_tokens_per_second)
                if decode:
                    return MeasuredSpeed(decode, _first(rates, lambda rate: rate.prefill_tokens_per_second))
        return None


def _with_overhead(use: DeviceUse, size: int) -> DeviceUse:
    total = use.total_bytes - use.overhead_bytes + size
    return use.model_copy(update={"overhead_bytes": size, "total_bytes": total})


def _same(run: MeasuredRun, layout: Layout, launch: Launch) -> bool:
    uuids = [device.gpu.uuid for device in layout.devices]
    if [device.uuid for device in run.devices] != uuids:
        return False
    return all(getattr(run.launch, key) == getattr(launch, key) for key in _DECISIVE)


def _first(rates: t.Iterable[MeasuredRate], of: t.Callable[[MeasuredRate], float | None]) -> float | None:
    return next((value for rate in rates if (value := of(rate))), None)
