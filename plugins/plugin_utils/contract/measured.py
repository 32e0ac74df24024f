# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`measured`: what llama.cpp was seen to take and to reach on a host; kept there in `measured.json`, read by the next plan."""

from __future__ import annotations

import typing as t

from .._pydantic import Field
from .base import SCHEMA_VERSION, Contract
from .launch import Launch

Bytes = t.Annotated[int, Field(ge=0)]
Rate = t.Annotated[float, Field(gt=0)]


class MeasuredEngine(Contract):
    """The build of llama.cpp that ran, by the number it prints: two builds may differ in memory and speed."""

    version: str | None = None
    build: int


class MeasuredModel(Contract):
    """The model that ran. `id` and `quant` are those of its plan; `parameters` and `bytes` (of its tensors) the engine's own.

    Either `id` and `quant`, or `parameters` and `bytes`, tell whether it is the one that is planned.
    """

    id: str | None = None
    quant: str | None = None
    parameters: int = Field(gt=0)
    bytes: int = Field(gt=0)


class MeasuredDevice(Contract):
    """What one GPU held. `name` is GPU0, GPU1 in the launch's order.

    `weights_bytes`, `kv_bytes` and `compute_bytes` are the buffers that llama.cpp allocated, null where its log did not
    tell. `held_bytes` is the most that the driver counted for its process: less the three, that is the overhead.
    """

    name: str
    uuid: str | None = None
    weights_bytes: Bytes | None = None
    kv_bytes: Bytes | None = None
    compute_bytes: Bytes | None = None
    held_bytes: Bytes | None = None


class MeasuredHost(Contract):
    """What the host's memory held: llama.cpp's buffers, and the most resident memory of its process, file pages included."""

    weights_bytes: Bytes | None = None
    kv_bytes: Bytes | None = None
    compute_bytes: Bytes | None = None
    output_bytes: Bytes | None = None
    held_bytes: Bytes | None = None


class MeasuredRate(Contract):
    """Tokens per second. A benchmark knows the `depth` of context that they were made at, a server in use does not (null).

    `prompt_tokens` is the length of the prompts that were read. `decode_deviation` and `prefill_deviation` are standard
    deviations of the repeated measurements.
    """

    depth: int | None = Field(default=None, ge=0)
    prompt_tokens: int | None = Field(default=None, gt=0)
    decode_tokens_per_second: Rate | None = None
    decode_deviation: float | None = Field(default=None, ge=0)
    prefill_tokens_per_second: Rate | None = None
    prefill_deviation: float | None = Field(default=None, ge=0)


class MeasuredRun(Contract):
    """One look at an engine at work. `source` says which program; a server is in use by others, a benchmark is alone.

    `launch` is that of the plan `plan_id`. `driver` is the version of the GPU driver, on which the overhead depends.
    """

    measured_at: str
    source: t.Literal["llama-server", "llama-bench"]
    plan_id: str | None = None
    instance: str | None = None
    engine: MeasuredEngine
    driver: str | None = None
    model: MeasuredModel
    launch: Launch
    devices: list[MeasuredDevice] = []
    host: MeasuredHost = MeasuredHost()
    load_seconds: t.Annotated[float, Field(ge=0)] | None = None
    rates: list[MeasuredRate] = []


class Measured(Contract):
    """All looks that are kept, the newest last; of the same program, build, model and launch only the newest."""

    schema_version: t.Literal[1] = Field(default=SCHEMA_VERSION, alias="schema")
    runs: list[MeasuredRun] = []
