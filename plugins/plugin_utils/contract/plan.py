# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`plan`: the answer of `model_fit`, from which units, values and pages are made."""

from __future__ import annotations

import typing as t

from .._pydantic import Field
from .base import SCHEMA_VERSION, Contract
from .launch import Launch
from .memory import DeviceUse, HostUse, MemoryLine

Placement = t.Literal["gpu", "gpu+host", "host", "disk", "none"]
Objective = t.Literal["speed", "context", "quality"]
Backend = t.Literal["cuda13", "cuda12", "rocm", "vulkan", "sycl", "cpu"]


class PlanModel(Contract):
    """The model as planned. `bytes` is the size of its tensors on disk."""

    id: str
    name: str
    parameters: int | None = None
    active_parameters: int | None = None
    trained_context: int | None = None
    bytes: int
    files: list[dict[str, t.Any]] = []
    licence: str | None = None


class PlanQuant(Contract):
    """The quantisation: mean bits per weight of these very tensors, and how much quality it costs where that is known.

    `kld` is the mean divergence from the unquantised model that `source` measured, on the model that `caveat` names.
    """

    name: str
    bits_per_weight: float
    tier: str | None = None
    kld: float | None = None
    source: str | None = None
    caveat: str | None = None


class PlanEngine(Contract):
    """What shall run the model. `image` is the container image of this backend."""

    name: t.Literal["llama.cpp"] = "llama.cpp"
    version: str
    backend: Backend
    image: str | None = None


class PlanDevice(DeviceUse):
    """A device's use, tied to the card: `index` is its place in the host's `gpus`, `device` llama-server's name for it.

    A plan of many equal hosts has no `uuid`: each host's own is found by `index`.
    """

    index: int
    device: str
    uuid: str | None = None
    pci_bus_id: str | None = None
    free_bytes: int
    headroom_bytes: int


class PlanMemory(Contract):
    """The memory of a plan: as `memory_estimate`, each device with its card."""

    n_ctx: int
    n_ctx_seq: int
    n_ubatch: int
    devices: list[PlanDevice]
    host: HostUse
    lines: list[MemoryLine]


class Requirements(Contract):
    """What a machine must bring for this placement: RAM for what is held there, and disk for all files that are loaded."""

    minimum_ram_bytes: int
    disk_bytes: int


class Band(Contract):
    """A rate with its error band, in tokens per second."""

    low: float
    expected: float
    high: float


class Speed(Contract):
    """Rates for one request with `depth` tokens in its context already; the prompt is read from an empty one.

    `basis`: measured on this host, calibrated on many, or the roofline of the hardware.
    """

    depth: int
    decode_tokens_per_second: Band
    prefill_tokens_per_second: Band | None = None
    basis: t.Literal["measured", "calibrated", "roofline"]


class Rung(Contract):
    """One context length of the ladder: where the model would be placed, and how fast it is with the context full."""

    context: int
    placement: Placement
    speed: Speed | None = None


class ShortPlan(Contract):
    """Another answer in one line. `server` is the catalog's id where it is for a rented server instead of this host."""

    model: str
    quant: str
    placement: Placement
    context: int
    cache_type: str | None = None
    bytes: int | None = None
    decode_tokens_per_second: Band | None = None
    why: str | None = None
    server: str | None = None


class Upgrade(Contract):
    """A change of the machine and what it gives; `helps` is false where that is not what is missing."""

    change: str
    gives: str
    helps: bool = True


class HostedApi(Contract):
    """Somebody who serves the model, or others like it, for a fee: as the catalog knew on that day."""

    name: str
    url: str
    seen: str


class Plan(Contract):
    """How a model runs on a host. "Does not fit" is an answer too: `fits` is false and `limit` says what binds.

    `plan_id` stands for what runs, `request_id` for what was asked. `fits` is true where nothing is read from disk while
    generating. `launch` is null where `placement` is none. `why` says why this one of several candidates.
    """

    schema_version: t.Literal[1] = Field(default=SCHEMA_VERSION, alias="schema")
    plan_id: str
    request_id: str
    model: PlanModel
    quant: PlanQuant
    fits: bool
    placement: Placement
    limit: str
    why: str | None = None
    launch: Launch | None
    engine: PlanEngine
    memory: PlanMemory | None
    requirements: Requirements
    speed: Speed | None = None
    ladder: list[Rung] = []
    warnings: list[str] = []
    alternatives: list[ShortPlan] = []
    upgrades: list[Upgrade] = []
    hosted: list[HostedApi] = []
