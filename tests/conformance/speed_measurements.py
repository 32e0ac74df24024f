# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speeds that people measured, and what the rules say of the same launch.

The data (`data/speed.jsonl.xz`) has three kinds of lines: models (GGUF metadata, from which the tensors are built), GPUs
(data sheets), and measurements with their source. A measurement with `not_counted` is of a fork, an old build, or of
hardware that its source does not name: it is told, and counts for nothing. One with `never_tuned` was kept from fitting.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.prositronic.infra.plugins.module_utils.ggml_types import tensor_bytes
from ansible_collections.prositronic.infra.plugins.plugin_utils.architecture import tensors
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import (
    Cpu,
    Gpu,
    HostMemory,
    InferenceHost,
    Pcie,
)
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Model, Tensor
from ansible_collections.prositronic.infra.plugins.plugin_utils.quant import quantize
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.activity import Activity, activity
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.calibration import CALIBRATED, Calibration
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.decode import decode_seconds
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.host_rates import host_rates
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.prefill import prefill_seconds
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.rates import PACES, Range, device_rates
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.work import Work, Workload
from ansible_collections.prositronic.infra.tests.conformance.measured import rows

# Where a source does not say how long the prompt or the answer was.
_TOKENS = 512


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One line of the data. `counted` rows are mainline llama.cpp of 2025 and later on named hardware."""

    row: dict[str, t.Any]

    @property
    def id(self) -> str:
        return self.row["id"]

    @property
    def gpus(self) -> list[str]:
        return self.row["gpus"]

    @property
    def rate(self) -> float:
        return self.row["tok_s"]

    @property
    def counted(self) -> bool:
        return not self.row.get("not_counted")

    @property
    def group(self) -> tuple[str, str]:
        """Where the weights were (full: all on GPUs; partial; cpu), and what was measured (decode, prefill)."""
        return self.row["group"], self.row["kind"]


@functools.cache
def _data() -> dict[str, dict[str, dict[str, t.Any]]]:
    found: dict[str, dict[str, dict[str, t.Any]]] = {"model": {}, "gpu": {}, "row": {}}
    for entry in rows("speed"):
        found[entry["is"]][entry["id"]] = entry
    return found


def measurements(group: tuple[str, str] | None = None) -> list[Measurement]:
    """Return the measurements, of one group or all."""
    every = [Measurement(row) for row in _data()["row"].values()]
    return [each for each in every if group is None or each.group == group]


@functools.cache
def _activity(model: str, quant: str) -> tuple[Activity, int]:
    metadata = _data()["model"][model]["metadata"]
    base = tensors(metadata)
    # llama-quantize has no recipe "everything in 32 bits"; a converter has
    typed = [Tensor(x.name, x.shape, "F32") for x in base] if quant == "F32" else quantize(base, metadata, quant)
    size = sum(tensor_bytes(tensor.type, tensor.shape) for tensor in typed)
    return activity(Model(model, model, metadata, tuple(typed), quant)), size


@functools.cache
def gpu(name: str) -> Gpu:
    """Return a GPU of the data as a host would report it."""
    entry = _data()["gpu"][name]
    known = {
        key: entry.get(key)
        for key in (
            "name",
            "vendor",
            "compute_capability",
            "bandwidth_bytes_per_second",
            "fp16_flops",
            "unified_memory",
        )
    }
    link = Pcie(maximum_generation=entry.get("pcie_generation"), maximum_width=entry.get("pcie_width"))
    return Gpu(pcie=link, **known)


def _scaled(found: Activity, factor: float) -> Activity:
    """Return the activity with other bytes for the same values: a publisher's own mix of types."""
    layers = [
        dataclasses.replace(
            layer, dense_bytes=round(layer.dense_bytes * factor), expert_bytes=round(layer.expert_bytes * factor)
        )
        for layer in found.layers
    ]
    return dataclasses.replace(found, layers=tuple(layers))


@functools.cache
def _work(id_: str) -> Work:
    row = _data()["row"][id_]
    found, size = _activity(row["model"], row["quant"])
    if "gpu_bytes" in row:
        real = row["gpu_bytes"] + row["host_bytes"]
    elif "bits_per_weight" in row:
        real = sum(layer.dense_values + layer.expert_values for layer in found.layers) * row["bits_per_weight"] / 8
    else:
        real = row.get("size_bytes", size)
    found = _scaled(found, real / size)
    depth = row.get("depth", 0) + row.get("tokens", _TOKENS) // 2
    layers = len(found.layers)
    host_layers, host_experts = 0, row.get("host_experts", 0)
    if "gpu_layers" in row:
        host_layers = layers - row["gpu_layers"]
    if "host_bytes" in row:
        host_experts = _layers_of_experts(found, row["host_bytes"])
    if not row["gpus"]:
        host_layers = layers
    cards = len(row["gpus"])
    left = layers - host_layers
    counts = [left // cards + (index < left % cards) for index in range(cards)]
    work = Workload(found, depth).work(counts, host_layers, [host_experts] * len(counts))
    # llama-bench takes the next token without looking at the logits; a server chooses among them
    return work if row.get("server") else dataclasses.replace(work, logits=0)


def _layers_of_experts(found: Activity, wanted: int) -> int:
    held = 0
    for index, layer in enumerate(found.layers):
        if held >= wanted:
            return index
        held += layer.expert_bytes
    return len(found.layers)


def predictable(measurement: Measurement) -> bool:
    """Tell whether the source names enough of model and GPUs for the rules to be asked."""
    row = measurement.row
    return bool(row["model"]) and all(name in _data()["gpu"] for name in row["gpus"])


def predict(measurement: Measurement, calibration: Calibration = CALIBRATED) -> Range:
    """Return the tokens per second by the rules, at the slow, the expected and the fast pace."""
    row = measurement.row
    work = _work(measurement.id)
    held = work.host.dense.stored_bytes + work.host.experts.stored_bytes
    # the usual size of RAM that holds it
    ram = 1 << max(33, int(held).bit_length())
    cpu = dict(row.get("cpu", {}))
    if "threads" in row:
        cpu["physical_cores"] = min(row["threads"], cpu.get("physical_cores", row["threads"]))
    host = InferenceHost(gpus=[], memory=HostMemory(total_bytes=ram), cpu=Cpu(**cpu))
    rates = host_rates(host, calibration)
    launching = "stream" if row.get("without_graphs") else None
    devices = [device_rates(gpu(name), calibration, launching) for name in row["gpus"]]
    if row["kind"] == "decode":
        return Range(*(1 / decode_seconds(work, devices, rates, pace=pace) for pace in PACES))
    tokens = row.get("tokens", _TOKENS)
    ubatch = row.get("ubatch_size", 512)
    return Range(*(tokens / prefill_seconds(work, devices, rates, tokens, ubatch, pace=pace) for pace in PACES))
