# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What llama-fit-params of llama.cpp 0.7.0 chose for a model and GPUs, beside the planner's answer to the same question.

Its margin is 1024 MiB of each GPU, and so is the planner's reserve. It knows no limit of RAM, plans for one slot, and takes
a context that it is given as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu, InferenceHost
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.memory import MemoryEstimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.plan import Plan
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.request import FitRequest
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner import fit as planner
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.machine import machine
from ansible_collections.prositronic.infra.tests.conformance.measured import rows
from ansible_collections.prositronic.infra.tests.conformance.memory_rows import model

MIB = 1 << 20
GIB = 1 << 30
# With this much the planner's own free memory, a multiple of its step, is exactly what llama.cpp was given.
MARGIN = 1024 * MIB


@dataclasses.dataclass(eq=False)
class Question:
    """One question to llama-fit-params and its answer."""

    data: dict[str, t.Any]

    @property
    def name(self) -> str:
        return f"{self.data['model']} {self.data['quant']} {self.data['gpu_mib']} {' '.join(self.data['args'])}"

    @property
    def gpus(self) -> list[Gpu]:
        return [
            Gpu(index=index, vendor="nvidia", memory_free_bytes=int(size) * MIB)
            for index, size in enumerate(self.data["gpu_mib"].split(","))
        ]

    @property
    def wanted(self) -> int | None:
        """The context that was asked for; None leaves it to the program, down to 4096."""
        return int(self.data["args"][1]) if self.data["args"] else None

    @functools.cached_property
    def _their_memory(self) -> MemoryEstimate:
        layers = int(self.data["ngl"])
        launch = Launch(
            ctx_size=int(self.data["c"]),
            parallel=1,
            n_gpu_layers=layers if layers >= 0 else None,
            tensor_split=[float(part) for part in self.data["ts"].split(",")] if "ts" in self.data else None,
            override_tensor=self.data["ot"].split(",") if "ot" in self.data else None,
        )
        return estimate(model(self.data["model"], self.data["quant"]), launch, self.gpus)

    def theirs(self) -> tuple[int, int]:
        """Return llama.cpp's own choice: its context, and the bytes of weights that it leaves with the host, negated.

        Those on GPUs say less: a split over more GPUs has more copies of the rope factors.
        """
        return self._their_memory.n_ctx, -self._their_memory.host.weights_bytes

    def margin_of_theirs(self) -> int:
        """Return the bytes that its choice leaves free on the fullest GPU, before any overhead."""
        return min(
            gpu.memory_free_bytes - (use.total_bytes - use.overhead_bytes)
            for gpu, use in zip(self.gpus, self._their_memory.devices, strict=True)
        )

    def ours(self, ram_bytes: int) -> Plan:
        """Return the plan for the same GPUs on a machine with this much RAM to use."""
        return _planned(self, ram_bytes)

    def plan(self, ram_bytes: int) -> Plan:
        """Return the same, not kept."""
        reserve = {"ram_bytes": 0, "vram_bytes_per_gpu": MARGIN}
        context = {"wanted": self.wanted, "minimum": self.wanted or 4096}
        asked = {
            "model": header(self.data["model"], self.data["quant"]),
            "context": context,
            "parallel": 1,
            "reserve": reserve,
            "advice": "never",
        }
        wish = FitRequest.read(asked, "wish")
        host = InferenceHost(gpus=self.gpus, memory={"total_bytes": ram_bytes})
        return planner.choose(machine(host, wish.reserve), wish)


@functools.cache
def header(name: str, quant: str) -> dict[str, t.Any]:
    """Return a measured model as gguf_info would return it."""
    measured = model(name, quant)
    lines = (f"{tensor.type} {'x'.join(map(str, tensor.shape))} {tensor.name}" for tensor in measured.tensors)
    return {
        "schema": 1,
        "files": [{"path": f"{name}-{quant}.gguf", "size_bytes": 0}],
        "version": 3,
        "alignment": 32,
        "metadata": dict(measured.metadata),
        "tensors": "\n".join(lines),
    }


def questions() -> list[Question]:
    """Return every question."""
    return [Question(row) for row in rows("fit")]


@functools.cache
def _planned(question: Question, ram_bytes: int) -> Plan:
    return question.plan(ram_bytes)
