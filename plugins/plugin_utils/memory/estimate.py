# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer to "how much memory does this launch take, and where": `memory_estimate`."""

from __future__ import annotations

import functools
import typing as t

from ..catalog import access
from ..contract.host import Gpu
from ..contract.launch import Launch
from ..contract.memory import Basis, DeviceUse, HostUse, MemoryEstimate, MemoryLine
from ..model.model import Model
from .adapters import adapters_of
from .allocation import Allocation, allocate
from .anatomy import Anatomy, anatomy_of
from .beside import NOTHING_BESIDE, Beside, pieces_beside
from .host_memory import checkpoints, kind_of_weights, prompt_cache
from .options import Options, options_of
from .overhead import overhead_lines, pool_growth_bytes
from .placement import HOST
from .speculation import drafts_with_a_model, unknown_types


class UnknownEngine(ValueError):
    """The collection does not know how this version of llama.cpp uses memory."""


class _Engine(t.NamedTuple):
    """What of an engine's data the host's memory depends on."""

    version: str
    cache_ram_mib: int
    ctx_checkpoints: int


@functools.cache
def _engine(version: str | None) -> _Engine:
    known = access.engine_versions()
    version = known[-1] if version is None else version
    if version not in known:
        raise UnknownEngine(f"engine: version '{version}' is not known; known are {', '.join(known)}")
    data = access.engine(version)
    return _Engine(version, data["cache_ram_mib"], data["ctx_checkpoints"])


def estimate(
    model: Model,
    launch: Launch | None = None,
    gpus: t.Sequence[Gpu] = (),
    engine: str | None = None,
    n_outputs: int | None = None,
    mtp: bool = False,
    beside: Beside = NOTHING_BESIDE,
    cache_copies: bool = True,
) -> MemoryEstimate:
    """Return what `launch` of `model` takes on these GPUs and on the host.

    :param gpus: the host's GPUs; their `memory_free_bytes` decide how layers are shared unless the launch says so.
    :param engine: a version of llama.cpp; None is the newest that the collection knows.
    :param n_outputs: rows of logits per micro-batch, as llama-fit-params counts them; None is llama-server's own.
    :param mtp: count the blocks for multi-token prediction as loaded, whether or not the launch drafts with them.
    :param beside: the files that the launch's `mmproj`, `model_draft` and `lora` name.
    :param cache_copies: count the f16 copies that CUDA's flash attention makes of a cache of another type. Devices over RPC
        make none, and builds before the summer of 2026 took them from CUDA's pool.
    :raises LaunchRefused: llama-server would refuse the launch.
    :raises UnknownModel: no rule is known for the model, or a file beside it is of another kind.
    :raises UnknownEngine: the engine's version is not known.
    """
    data = _engine(engine)
    anatomy = anatomy_of(model)
    launch = launch or Launch.model_validate({})
    options = options_of(launch, anatomy, len(gpus), n_outputs, mtp, adapters_of(beside.adapters, anatomy))
    options = options._replace(cache_copies=cache_copies)
    free = [float(gpu.memory_free_bytes or gpu.memory_total_bytes or 0) for gpu in gpus]
    allocation = allocate(anatomy, options, [free[position] for position in options.gpus])
    sheet = _Sheet(options)
    _model_itself(sheet, model, anatomy, launch, options, allocation)
    for piece in pieces_beside(launch, beside, anatomy, options, allocation, free, len(gpus)):
        sheet.add("extras", *piece)
    for position, parts in sheet.places.items():
        if position != HOST and any(parts.values()):
            for what, size, basis in overhead_lines(data.version, gpus[position].compute_capability):
                sheet.add("overhead", what, position, size, basis)
            sheet.add(
                "overhead", "CUDA memory pool, at most", position, pool_growth_bytes(data.version), "measured", True
            )
    _host_later(sheet, anatomy, launch, options, data)
    context = options.context
    return MemoryEstimate.model_construct(
        n_ctx=context.n_ctx,
        n_ctx_seq=context.n_ctx_seq,
        n_ubatch=context.n_ubatch,
        devices=sheet.devices(),
        host=sheet.host(),
        lines=sheet.lines,
        warnings=list(_warnings(anatomy, launch, beside, options, allocation)),
    )


class _Sheet:
    """The lines of an estimate, and their sums per place and part. Places are positions of GPUs, and the host."""

    def __init__(self, options: Options) -> None:
        self.lines: list[MemoryLine] = []
        self.names = {HOST: "host"}
        self.places: dict[int, dict[str, int]] = {HOST: {}}
        for position in options.gpus:
            self._place(position)
        self.mapped = self.pinned = 0

    def _place(self, position: int) -> dict[str, int]:
        self.names[position] = f"GPU{position}"
        return self.places.setdefault(position, {})

    def add(
        self, part: str, what: str, where: int, size: int, basis: Basis, later: bool = False, pinned: bool = False
    ) -> None:
        if not size:
            return
        parts = self.places.get(where)
        if parts is None:
            parts = self._place(where)
        self.lines.append(
            MemoryLine.model_construct(what=what, where=self.names[where], bytes=size, basis=basis, later=later)
        )
        if later:
            part = "growth"
        elif pinned:
            self.pinned += size
        parts[part] = parts.get(part, 0) + size

    def devices(self) -> list[DeviceUse]:
        return [
            DeviceUse.model_construct(
                name=self.names[position],
                weights_bytes=parts.get("weights", 0),
                kv_bytes=parts.get("kv", 0),
                compute_bytes=parts.get("compute", 0),
                overhead_bytes=parts.get("overhead", 0),
                total_bytes=sum(parts.values()) - parts.get("growth", 0),
                extras_bytes=parts.get("extras", 0),
                growth_bytes=parts.get("growth", 0),
            )
            for position, parts in self.places.items()
            if position != HOST
        ]

    def host(self) -> HostUse:
        parts = self.places[HOST]
        return HostUse.model_construct(
            weights_bytes=parts.get("weights", 0),
            kv_bytes=parts.get("kv", 0),
            compute_bytes=parts.get("compute", 0),
            output_bytes=parts.get("output", 0),
            total_bytes=sum(parts.values()) - parts.get("growth", 0),
            extras_bytes=parts.get("extras", 0),
            mapped_bytes=self.mapped,
            pinned_bytes=self.pinned,
            growth_bytes=parts.get("growth", 0),
        )


def _model_itself(
    sheet: _Sheet, model: Model, anatomy: Anatomy, launch: Launch, options: Options, allocation: Allocation
) -> None:
    basis: Basis = "file" if model.basis == "file" else "formula" if model.basis == "recipe" else "assumed"
    for index, position in enumerate(options.gpus):
        sheet.add("weights", "weights", position, allocation.weights[index], basis)
        sheet.add("kv", "KV cache", position, allocation.cache[index], "formula")
        sheet.add("kv", "recurrent state", position, allocation.state[index], "formula")
        sheet.add("compute", "compute buffer", position, allocation.compute[index], "formula")
    kind = kind_of_weights(launch, options)
    has_gpu = bool(options.gpus)
    sheet.add("weights", "weights", HOST, allocation.host_weights, basis, pinned=kind == "pinned")
    if kind == "mapped":
        sheet.mapped += allocation.host_weights
    sheet.add("kv", "KV cache", HOST, allocation.host_cache, "formula")
    sheet.add("kv", "recurrent state", HOST, allocation.host_state, "formula")
    sheet.add("compute", "compute buffer", HOST, allocation.host_compute, "formula", pinned=has_gpu)
    sheet.add(
        "output", "output buffer", HOST, allocation.output, "formula", pinned=has_gpu and allocation.layers[-1] != HOST
    )


def _host_later(sheet: _Sheet, anatomy: Anatomy, launch: Launch, options: Options, data: _Engine) -> None:
    sheet.add("growth", "prompt cache", HOST, prompt_cache(launch, data.cache_ram_mib) or 0, "bound", later=True)
    size = checkpoints(launch, anatomy, options, data.ctx_checkpoints)
    sheet.add("growth", "context checkpoints", HOST, size, "bound", later=True)


def _warnings(
    anatomy: Anatomy, launch: Launch, beside: Beside, options: Options, allocation: Allocation
) -> t.Iterator[str]:
    if options.flash is None and not allocation.flash:
        yield (
            "flash_attn is auto and the engine turns it off here without a message, because some attention would run on"
            " another device than its cache; the compute buffer holds the attention scores. Put all layers on GPUs,"
            " or set no_op_offload"
        )
    if options.context.n_ctx_seq > anatomy.trained:
        yield (
            f"a slot has {options.context.n_ctx_seq} cells, more than the {anatomy.trained} tokens the model is trained for"
        )
    for option, named, given in (
        ("mmproj", launch.mmproj, beside.projector),
        ("model_draft", launch.model_draft, beside.draft),
        ("lora", launch.lora, beside.adapters),
    ):
        if named and not given:
            yield f"{option} is not counted: give its header too, as prositronic.infra.gguf_info returns it"
    if beside.draft is not None and not drafts_with_a_model(launch):
        yield "the draft model is loaded at the start and dropped again: spec_type is not draft-simple; it is not counted"
    for kind in unknown_types(launch):
        yield f"spec_type {kind}: what it takes beside the model is not known, and not counted"
    if launch.cache_ram is not None and launch.cache_ram < 0:
        yield "cache_ram is -1: nothing limits what earlier prompts take of the host's memory"
