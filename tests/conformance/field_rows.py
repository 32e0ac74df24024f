# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads that somebody measured on real GPUs and published, beside what the engine says of them.

One machine with four P100 and one file of Qwen3.5 122B A10B (each row has its source). The logs do not say everything: how
many blocks a GPU has is read from its cache and state, how many of them keep their experts there from its weights, and the
types of the file's tensors were found with the rows that are not held back.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import typing as t

from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.memory import MemoryEstimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.anatomy import anatomy_of
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.weights import block_bytes
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_catalog
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Model, Tensor
from ansible_collections.prositronic.infra.tests.conformance.measured import rows

MIB = 1 << 20
MODEL = "qwen3.5-122b-a10b"
ATTENDING, STATE_MIB = 12, 4.1415
P100 = Gpu(memory_free_bytes=1 << 44, compute_capability="6.0")
FLASH = {"enabled": "on", "disabled": "off"}
# Builds to spring 2026 reserve logits for every token of a micro-batch, later ones for a token of each slot; and they take
# the f16 copies of another cache, which flash attention reads, from CUDA's pool instead of the compute buffer.
SPRING_2026 = ("b8829", "b8893")
TYPES = {
    "ffn_gate_exps": "Q4_K",
    "ffn_up_exps": "Q4_K",
    "ffn_down_exps": "Q5_K",
    "token_embd": "Q4_K",
    "output": "Q6_K",
}
OTHER_MATRICES = "Q8_0"
# What counts as near: as a share of all that is measured.
NEAR = 0.03


class Use(t.NamedTuple):
    """MiB on one GPU: said and measured. `used` is what nvidia-smi shows, None where it was not asked."""

    weights: tuple[float, float]
    kv: tuple[float, float]
    compute: tuple[float, float]
    used: tuple[float, float] | None

    @property
    def total(self) -> tuple[float, float]:
        """The sum of the buffers."""
        parts = self.weights, self.kv, self.compute
        return sum(part[0] for part in parts), sum(part[1] for part in parts)


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One load."""

    data: dict[str, t.Any]

    @property
    def held_back(self) -> bool:
        """Whether the row was left out when the types of the tensors were found: half of them, by a hash."""
        return hashlib.sha256(self.data["id"].encode()).digest()[0] % 2 == 0

    @functools.cached_property
    def blocks(self) -> list[int]:
        """Blocks of each GPU: those with a state and those with a cache."""
        devices = self.data["devices"]
        each = sum(device["kv_MiB"] for device in devices) / ATTENDING
        return [round(device["recurrent_MiB"] / STATE_MIB) + round(device["kv_MiB"] / each) for device in devices]

    def _estimate(self, hosted: t.Sequence[int] | None) -> MemoryEstimate:
        data, last = self.data, len(self.blocks) - 1
        launch: dict[str, t.Any] = {
            "ctx_size": data["n_ctx"],
            "parallel": 1,
            "batch_size": data["n_batch"],
            "ubatch_size": data["n_ubatch"],
            "flash_attn": FLASH[data["flash_attn"]],
            "cache_type_k": data["type_k"],
            "cache_type_v": data["type_v"],
            # the output is one more layer, on the last
            "tensor_split": [blocks + (index == last) for index, blocks in enumerate(self.blocks)],
        }
        if hosted is None:
            launch["cpu_moe"] = True
        elif hosted:
            numbers = "|".join(map(str, hosted))
            launch["override_tensor"] = [rf"blk\.({numbers})\.ffn_(up|down|gate)_exps=CPU"]
        older = data["build"].startswith(SPRING_2026)
        outputs = data["n_ubatch"] if older else None
        gpus = [P100] * len(self.blocks)
        return estimate(model(), Launch(**launch), gpus, n_outputs=outputs, cache_copies=not older)

    def _hosted(self) -> list[int]:
        """The blocks whose experts are with the host: on each GPU as many as its weights leave out."""
        without = self._estimate(None)
        experts = [size.gpu for _rest, size in block_bytes(anatomy_of(model()))]
        hosted: list[int] = []
        first = 0
        for blocks, device, use in zip(self.blocks, self.data["devices"], without.devices, strict=True):
            own = range(first, first + blocks)
            there = round(
                (device["model_MiB"] * MIB - use.weights_bytes) / (sum(experts[block] for block in own) / blocks)
            )
            hosted += own[max(0, there) :]
            first += blocks
        return hosted

    @functools.cached_property
    def uses(self) -> list[Use]:
        """Return what each GPU holds, said and measured."""
        answer = self._estimate(self._hosted())
        found = []
        for own, device in zip(answer.devices, self.data["devices"], strict=True):
            used = device.get("used_by_nvidia_smi_MiB")
            found.append(
                Use(
                    (own.weights_bytes / MIB, device["model_MiB"]),
                    (own.kv_bytes / MIB, device["kv_MiB"] + device["recurrent_MiB"]),
                    (own.compute_bytes / MIB, device["compute_MiB"]),
                    (own.total_bytes / MIB, used) if used else None,
                )
            )
        return found


@functools.cache
def model() -> Model:
    """Return the published file: a mix of its own, whose types the weights of the GPUs tell."""
    plain = from_catalog.model(MODEL, "Q4_K_M")
    return dataclasses.replace(plain, tensors=tuple(map(_typed, plain.tensors)))


def _typed(tensor: Tensor) -> Tensor:
    if tensor.type in ("F32", "F16", "BF16"):
        return tensor
    name = tensor.name.removesuffix(".weight").rpartition(".")[2]
    return dataclasses.replace(tensor, type=TYPES.get(name, OTHER_MATRICES))


@functools.cache
def all_rows() -> tuple[Row, ...]:
    return tuple(Row(data) for data in rows("field"))


PARTS: dict[str, t.Callable[[Use], tuple[float, float] | None]] = {
    "weights": lambda use: use.weights,
    "KV cache and state": lambda use: use.kv,
    "compute buffer, first GPU": lambda use: use.compute,
    "compute buffer, other GPUs": lambda use: use.compute,
    "all buffers": lambda use: use.total,
    "as nvidia-smi shows it": lambda use: use.used,
}


def errors(part: str, held_back: bool) -> list[float]:
    """Return the errors of a part of PARTS on every GPU, of the rows that are held back or of the others."""
    chosen = []
    for row in all_rows():
        if row.held_back == held_back:
            for index, use in enumerate(row.uses):
                first = part.endswith("first GPU")
                pair = PARTS[part](use)
                if pair is not None and (not part.startswith("compute") or first == (index == 0)):
                    chosen.append(error(pair))
    return chosen


def error(pair: tuple[float, float]) -> float:
    """Return how far the said figure is from the measured one, as a share of it."""
    return pair[0] / pair[1] - 1
