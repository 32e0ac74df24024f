# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user asks of the planner: the arguments that every door of `model_fit` and every entry of `inference_models` has."""

from __future__ import annotations

import typing as t

from .._pydantic import Field, field_validator, model_validator
from .base import Contract, digest
from .gguf import Gguf
from .launch import CacheType

GIB = 1 << 30

Capability = t.Literal["code", "multilingual", "thinking", "tool-calls", "vision"]
# When to look for what would help: never, for a plan that does not fit, or always.
Advice = t.Literal["never", "unfit", "always"]
# What the pattern of a name allows, and what TCP does.
NAME_LENGTH = 64
LAST_PORT = 65535
Name = t.Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")]


class ContextWish(Contract):
    """Tokens per request: `wanted` (the trained context where absent), and the least that is worth serving."""

    wanted: int | None = Field(default=None, gt=0)
    minimum: int = Field(default=4096, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> ContextWish:
        if self.wanted is None or self.wanted >= self.minimum:
            return self
        if "minimum" in self.model_fields_set:
            raise ValueError(f"wanted ({self.wanted}) is less than minimum ({self.minimum}); swap them")
        return self.model_copy(update={"minimum": self.wanted})


class SpeedWish(Contract):
    """Tokens per second that one request must be answered with: the expected rate behind the least context.

    `prefill` are those that its prompt shall be read with: for them `ubatch_size` is raised, as far as needed.
    """

    minimum: t.Annotated[float, Field(gt=0)] | None = None
    prefill: t.Annotated[float, Field(gt=0)] | None = None


class Capabilities(Contract):
    """Models by what they can do: every model of the catalog that has all of these."""

    capabilities: list[Capability] = Field(min_length=1)


def is_open(model: t.Any) -> bool:
    """Whether an entry of `model` stands for all models that can do something."""
    return model in t.get_args(Capability) if isinstance(model, str) else set(model) == {"capabilities"}


class Allow(Contract):
    """What a plan may use besides GPUs, and the types of the KV cache in order of preference."""

    host: bool = True
    disk: bool = True
    cache_types: list[CacheType] = Field(default=["f16"], min_length=1)


class Reserve(Contract):
    """Memory that a plan leaves alone: on each GPU, for CUDA's context and growth; in RAM, for the system.

    `ram_bytes` absent: 4 GiB, or an eighth of a machine of less than 32 GiB.
    """

    vram_bytes_per_gpu: int = Field(default=GIB, ge=0)
    ram_bytes: int | None = Field(default=None, ge=0)

    def ram(self, total_bytes: int) -> int:
        """Return the RAM in bytes to leave alone on a machine that has `total_bytes`."""
        return min(4 * GIB, total_bytes // 8) if self.ram_bytes is None else self.ram_bytes


class Demand(Contract):
    """What a model shall do, wherever it runs: `parallel` requests at once, each of so much context and speed.

    `mmproj` is the value of gguf_info of a projector that is served with it, made for that very model.
    """

    model: str | dict[str, t.Any] | list[str | dict[str, t.Any]]
    quant: str | list[str] | None = None
    context: ContextWish = ContextWish()
    speed: SpeedWish = SpeedWish()
    parallel: int | None = Field(default=None, gt=0)
    allow: Allow = Allow()
    reserve: Reserve = Reserve()
    engine: str | None = None
    mmproj: Gguf | None = None

    @model_validator(mode="before")
    @classmethod
    def _absent(cls, value: t.Any) -> t.Any:
        # A survey or an unset variable gives an empty string or null: the same as not given.
        return {k: v for k, v in value.items() if v is not None and v != ""} if isinstance(value, dict) else value

    @field_validator("mmproj", mode="before")
    @classmethod
    def _header(cls, value: t.Any) -> t.Any:
        if not isinstance(value, (dict, Gguf)):
            raise ValueError("give the header of a projector's file, the gguf that prositronic.infra.gguf_info returns")
        return value

    @model_validator(mode="after")
    def _one_model(self) -> t.Self:
        models = self.model if isinstance(self.model, list) else [self.model]
        if self.mmproj and (len(models) != 1 or is_open(models[0])):
            raise ValueError("a projector is made for one model: name that as 'model', or leave out 'mmproj'")
        return self

    @field_validator("context", mode="before")
    @classmethod
    def _tokens(cls, value: t.Any) -> t.Any:
        return {"wanted": value} if isinstance(value, (int, str)) and not isinstance(value, bool) else value

    @field_validator("speed", mode="before")
    @classmethod
    def _rate(cls, value: t.Any) -> t.Any:
        return {"minimum": value} if isinstance(value, (int, float, str)) and not isinstance(value, bool) else value


class FitRequest(Demand):
    """One model to plan for: `model` is a catalog id, the value of gguf_info, or that of from_hf_config.

    It may also be a capability, or `{capabilities: [...]}`, for every model of the catalog that has it, and `quant` may be
    auto, for every recipe worth its bytes; what a list or these leave open is ranked (planner/preference.py).

    `name` is what it is served under; the instance of that name is what the plan takes the place of. Where that was
    installed for the same request and still fits, its plan is kept, unless `replan` says otherwise.
    """

    objective: t.Literal["speed", "context", "quality"] = "speed"
    name: Name | None = None
    port: int | None = Field(default=None, ge=1, le=LAST_PORT)
    replan: bool = False
    advice: Advice = "unfit"

    @property
    def identity(self) -> str:
        """Return 12 hex digits that stand for what is asked, however often; an option that is new and not given changes none."""
        what = self.model_dump(
            mode="json", exclude={"replan", "advice", "source", "server", "replicas"}, exclude_none=True
        )
        return digest(what)


class ModelWish(FitRequest):
    """An entry of `inference_models`: several models need names to tell them apart.

    A fleet is planned without advice where none is asked for: it costs several plans each time. `source` and `server` are
    for the playbook that serves the model; the planner does not look at them. Of several `replicas`, each has a number
    behind its name and, counted up, a port of its own.
    """

    name: Name
    advice: Advice = "never"
    replicas: int = Field(default=1, ge=1, le=16)
    source: dict[str, t.Any] | None = None
    server: dict[str, t.Any] | None = None

    @model_validator(mode="after")
    def _counted(self) -> ModelWish:
        if self.port is not None and self.port + self.replicas - 1 > LAST_PORT:
            raise ValueError(
                f"the last of {self.replicas} replicas would have a port above {LAST_PORT};"
                f" begin at {LAST_PORT + 1 - self.replicas} at most"
            )
        number = f"-{self.replicas}"
        if self.replicas > 1 and len(self.name) + len(number) > NAME_LENGTH:
            raise ValueError(
                f"a name has at most {NAME_LENGTH} characters, with the number of its replica;"
                f" take at most {NAME_LENGTH - len(number)}"
            )
        return self

    @property
    def kind(self) -> str:
        """Return what is the same for wishes that differ in name and port only."""
        return self.model_copy(update={"name": "", "port": None}).identity

    def each(self) -> list[ModelWish]:
        """Return a wish for each replica."""
        if self.replicas == 1:
            return [self]
        return [
            self.model_copy(
                update={
                    "name": f"{self.name}-{number + 1}",
                    "port": None if self.port is None else self.port + number,
                    "replicas": 1,
                }
            )
            for number in range(self.replicas)
        ]


class HardwareWish(Demand):
    """One model and quant that hardware is looked for: of these GPUs of the catalog, or of all, so many in a machine."""

    model: str | dict[str, t.Any]
    quant: str | None = None
    gpus: list[str] | None = None
    max_gpus: int = Field(default=8, ge=1, le=16)
