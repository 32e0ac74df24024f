# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`launch`: llama-server's long options in snake_case; what is absent has llama-server's own default."""

from __future__ import annotations

import typing as t

from .._pydantic import Field, field_validator, model_serializer
from .base import Contract

CacheType = t.Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
SwitchAuto = t.Literal["on", "off", "auto"]
Positive = t.Annotated[int, Field(gt=0)]


class Launch(Contract):
    """How a model is started. Lists are lists here and comma-separated on the command line.

    Options with on, off and auto accept booleans, because YAML reads a bare `on` as true; they are kept as strings.
    """

    model: str | None = None
    alias: str | None = None
    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    ctx_size: int | None = Field(default=None, ge=0)
    parallel: int | None = Field(default=None, ge=-1)
    kv_unified: bool | None = None
    batch_size: Positive | None = None
    ubatch_size: Positive | None = None
    cache_type_k: CacheType | None = None
    cache_type_v: CacheType | None = None
    flash_attn: SwitchAuto | None = None
    n_gpu_layers: int | t.Literal["auto", "all"] | None = None
    cpu_moe: bool | None = None
    n_cpu_moe: int | None = Field(default=None, ge=0)
    tensor_split: list[t.Annotated[float, Field(ge=0)]] | None = None
    split_mode: t.Literal["none", "layer", "row", "tensor"] | None = None
    main_gpu: int | None = Field(default=None, ge=0)
    device: list[str] | None = None
    override_tensor: list[str] | None = None
    no_kv_offload: bool | None = None
    swa_full: bool | None = None
    no_op_offload: bool | None = None
    no_host: bool | None = None
    no_repack: bool | None = None
    load_mode: t.Literal["auto", "none", "mmap", "mlock", "mmap+mlock", "dio"] | None = None
    fit: t.Literal["on", "off"] | None = None
    threads: int | None = Field(default=None, ge=-1)
    threads_batch: int | None = Field(default=None, ge=-1)
    numa: t.Literal["distribute", "isolate", "numactl"] | None = None
    cache_ram: int | None = Field(default=None, ge=-1)
    ctx_checkpoints: int | None = Field(default=None, ge=0)
    no_warmup: bool | None = None
    mmproj: str | None = None
    no_mmproj_offload: bool | None = None
    mmproj_device: str | None = None
    image_min_tokens: Positive | None = None
    image_max_tokens: Positive | None = None
    lora: list[str] | None = None
    model_draft: str | None = None
    spec_type: str | None = None
    spec_draft_n_max: Positive | None = None
    spec_draft_n_ubatch: Positive | None = None
    cache_type_k_draft: CacheType | None = None
    cache_type_v_draft: CacheType | None = None
    n_gpu_layers_draft: int | t.Literal["auto", "all"] | None = None
    device_draft: list[str] | None = None
    cpu_moe_draft: bool | None = None
    n_cpu_moe_draft: int | None = Field(default=None, ge=0)
    override_tensor_draft: list[str] | None = None
    rope_scaling: t.Literal["none", "linear", "yarn"] | None = None
    rope_scale: t.Annotated[float, Field(gt=0)] | None = None
    rope_freq_base: t.Annotated[float, Field(gt=0)] | None = None
    rope_freq_scale: t.Annotated[float, Field(gt=0)] | None = None
    yarn_orig_ctx: int | None = Field(default=None, ge=0)
    metrics: bool | None = None
    jinja: bool | None = None
    api_key_file: str | None = None

    @field_validator("flash_attn", "fit", mode="before")
    @classmethod
    def _switch(cls, value: t.Any) -> t.Any:
        return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value

    @field_validator(
        "tensor_split", "device", "override_tensor", "lora", "device_draft", "override_tensor_draft", mode="before"
    )
    @classmethod
    def _listed(cls, value: t.Any) -> t.Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @model_serializer(mode="wrap")
    def _given(self, serialize: t.Callable[[Launch], dict[str, t.Any]]) -> dict[str, t.Any]:
        # An option that is not there has llama-server's default, here and inside a plan.
        return {option: value for option, value in serialize(self).items() if value is not None}
