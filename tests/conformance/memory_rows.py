# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The measured loads, each beside what the engine says of it.

Measured with llama.cpp 0.7.0 (build 11669): files with complete metadata and tensor lists, and devices that follow CUDA's
allocation sizes and accept every operation. Figures are the allocator's own, to the byte.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import typing as t

from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.memory import MemoryEstimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.architectures import ARCHITECTURES
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.compute_buffer.representative import REPEATING
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Model, Tensor
from ansible_collections.prositronic.infra.tests.conformance.measured import rows

FILES = ("memory", "memory_more", "memory_sweeps")
MIB = 1 << 20
QUICK = [name for name, architecture in ARCHITECTURES.items() if architecture.graph in REPEATING]

# Launches that need an option the contract does not have.
OUT_OF_REACH = {
    "moe_cache_mib": "a cache of experts on the GPU (experimental)",
    "repack": "weights repacked for the CPU, whose size depends on the processor",
}
# Settings of the measurement that are no options of llama-server.
MEASUREMENT = ("n_outputs", "n_outputs_per_seq", "mtp")


@dataclasses.dataclass(frozen=True)
class Row:
    """One measured load. `held_back`: a third, chosen by a hash of model and launch, that is reported apart."""

    file: str
    number: int
    data: dict[str, t.Any]

    @property
    def model(self) -> str:
        return self.data["model"]

    @property
    def launch(self) -> dict[str, t.Any]:
        return self.data["launch"]

    @property
    def out_of_reach(self) -> str | None:
        return next((reason for key, reason in OUT_OF_REACH.items() if key in self.launch), None)

    @property
    def held_back(self) -> bool:
        text = self.model + json.dumps(self.launch, sort_keys=True)
        return hashlib.sha256(text.encode()).digest()[0] % 3 == 0

    @property
    def in_sample(self) -> bool:
        """Whether the tests run it: an eighth of the sweeps, and a third of the loads whose graphs are built block by block.

        `tools/write_accuracy.py` and `report.py` run all, which takes a minute.
        """
        if self.file == "memory_sweeps":
            return self.number % 8 == 0
        return self.number % 3 == 0 or _models()[self.model]["metadata"]["general.architecture"] in QUICK

    @property
    def name(self) -> str:
        gpus = len(self.data["gpus_mib"])
        return f"{self.file}[{self.number}] {self.model} {self.data['quant']} {gpus} GPUs {json.dumps(self.launch)}"

    def estimate(self) -> MemoryEstimate:
        """Return the engine's answer."""
        known = (*OUT_OF_REACH, *MEASUREMENT)
        launch = {key: value for key, value in self.launch.items() if key not in known}
        gpus = [Gpu(memory_free_bytes=size * MIB) for size in self.data["gpus_mib"]]
        return estimate(
            model(self.model, self.data["quant"]),
            Launch(**launch),
            gpus,
            n_outputs=self.launch.get("n_outputs"),
            mtp=bool(self.launch.get("mtp")),
        )

    def measured(self) -> list[tuple[int, int, int]]:
        """Return weights, caches and compute buffer of every GPU and, last, of the host."""
        return [
            (part["weights_bytes"], part["kv_bytes"], part["compute_bytes"])
            for part in (*self.data["devices"], self.data["host"])
        ]


def said(answer: MemoryEstimate) -> list[tuple[int, int, int]]:
    """Return the same of an answer."""
    return [(part.weights_bytes, part.kv_bytes, part.compute_bytes) for part in (*answer.devices, answer.host)]


@functools.cache
def _models() -> dict[str, dict[str, t.Any]]:
    return {row["model"]: row for row in rows("models", "models_more")}


@functools.cache
def _types() -> dict[tuple[str, str], list[tuple[str, int]]]:
    return {(row["model"], row["quant"]): row["types"] for row in rows("quant_types", "quant_types_more")}


@functools.cache
def model(name: str, quant: str) -> Model:
    """Return a measured model in one of its quants."""
    row = _models()[name]
    types = [kind for kind, count in _types()[name, quant] for _time in range(count)]
    tensors = tuple(
        Tensor(tensor, tuple(shape), kind) for (tensor, shape, _base), kind in zip(row["tensors"], types, strict=True)
    )
    return Model(id=name, name=name, metadata=row["metadata"], tensors=tensors, quant=quant, basis="recipe")


@functools.cache
def all_rows() -> tuple[Row, ...]:
    """Return every measured load."""
    return tuple(Row(file, number, data) for file in FILES for number, data in enumerate(rows(file)))


class Cell(t.NamedTuple):
    """The compute buffer of one device in one load."""

    row: Row
    measured: int
    said: int

    @property
    def error(self) -> int:
        return self.said - self.measured

    @property
    def near(self) -> bool:
        """Within 1 MiB or 1 %."""
        return abs(self.error) <= max(MIB, self.measured // 100)

    @property
    def far_too_low(self) -> bool:
        """More than 64 MiB, or more than 5 % and 1 MiB, below the truth: out of memory."""
        return -self.error > 64 * MIB or -self.error > max(MIB, self.measured * 5 // 100)


def cells(row: Row) -> list[Cell]:
    """Return the compute buffers of a load that is not refused."""
    return [Cell(row, measured[2], own[2]) for measured, own in zip(row.measured(), said(row.estimate()), strict=True)]
