# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`smallest_hardware`: the least GPUs and RAM for a model, and servers that have them."""

from __future__ import annotations

import typing as t

from .._pydantic import Field
from .base import SCHEMA_VERSION, Contract
from .launch import CacheType
from .plan import Placement, Speed


class HardwareOption(Contract):
    """So many of a GPU, with the RAM that the machine must have, and what they hold.

    `gpu_memory_bytes` is the nominal memory of all of them, `used_bytes` what is taken of it and `headroom_bytes` what is
    left on the fullest, the reserve included. `why` says why not less.
    """

    gpu: str
    count: int
    placement: Placement
    gpu_memory_bytes: int
    used_bytes: int
    headroom_bytes: int
    minimum_ram_bytes: int
    tensor_split: list[float] | None = None
    n_cpu_moe: int | None = None
    override_tensor: list[str] | None = None
    n_gpu_layers: int | None = None
    speed: Speed
    why: str


class ServerOption(Contract):
    """A server of the catalog that runs it. `price` is the newest that is known, with its date and source."""

    server: str
    name: str
    provider: str
    gpu: str
    count: int
    memory_bytes: int | None
    placement: Placement
    speed: Speed
    price: dict[str, t.Any] | None


class Hardware(Contract):
    """The answer: `options` from the least memory of GPUs on, first those that hold everything, and `servers` likewise.

    `reserve_bytes_per_gpu` was left alone on each GPU; free memory is the catalog's, so measure before you buy.
    """

    schema_version: t.Literal[1] = Field(default=SCHEMA_VERSION, alias="schema")
    model: str
    quant: str
    bytes: int
    context: int
    parallel: int | None
    cache_type: CacheType
    reserve_bytes_per_gpu: int
    options: list[HardwareOption]
    servers: list[ServerOption]
    warnings: list[str] = []
