# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer to "how much memory does this launch take, and where": `memory_estimate`."""

from __future__ import annotations

import typing as t

from ..contract.host import Gpu
from ..contract.launch import Launch
from ..contract.memory import Basis, DeviceUse, HostUse, MemoryEstimate, MemoryLine
from ..model.model import Model
from .allocation import Allocation, allocate
from .anatomy import Anatomy, anatomy_of
from .options import Options, options_of
from .overhead import overhead_lines

ENGINES = ("0.7.0",)
NEWEST_ENGINE = ENGINES[-1]


class UnknownEngine(ValueError):
    """The collection does not know how this version of llama.cpp uses memory."""


def estimate(
    model: Model,
    launch: Launch | None = None,
    gpus: t.Sequence[Gpu] = (),
    engine: str = NEWEST_ENGINE,
    n_outputs: int | None = None,
    mtp: bool = False,
) -> MemoryEstimate:
    """Return what `launch` of `model` takes on these GPUs and on the host.

    :param gpus: the host's GPUs; their `memory_free_bytes` decide how layers are shared unless the launch says so.
    :param n_outputs: rows of logits per micro-batch, as llama-fit-params counts them; None is llama-server's own.
    :param mtp: count the blocks for multi-token prediction as loaded.
    :raises LaunchRefused: llama-server would refuse the launch.
    :raises UnknownModel: no rule is known for the model.
    :raises UnknownEngine: the engine's version is not known.
    """
    if engine not in ENGINES:
        raise UnknownEngine(f"engine: version '{engine}' is not known; known are {', '.join(ENGINES)}")
    anatomy = anatomy_of(model)
    options = options_of(launch or Launch.model_validate({}), anatomy, len(gpus), n_outputs, mtp)
    used = [gpus[position] for position in options.gpus]
    allocation = allocate(anatomy, options, [gpu.memory_free_bytes or gpu.memory_total_bytes or 0 for gpu in used])
    return _answer(model, anatomy, options, allocation, used)


def _answer(
    model: Model, anatomy: Anatomy, options: Options, allocation: Allocation, used: t.Sequence[Gpu]
) -> MemoryEstimate:
    lines: list[MemoryLine] = []
    devices = []
    weights_basis: Basis = "file" if model.basis == "file" else "formula" if model.basis == "recipe" else "assumed"

    def line(what: str, where: str, size: int, basis: Basis) -> None:
        if size:
            lines.append(MemoryLine.model_construct(what=what, where=where, bytes=size, basis=basis))

    for index, gpu in enumerate(used):
        name = f"GPU{options.gpus[index]}"
        line("weights", name, allocation.weights[index], weights_basis)
        line("KV cache", name, allocation.cache[index], "formula")
        line("recurrent state", name, allocation.state[index], "formula")
        line("compute buffer", name, allocation.compute[index], "formula")
        kv = allocation.cache[index] + allocation.state[index]
        own = allocation.weights[index] + kv + allocation.compute[index]
        overhead = 0
        if own:
            for what, size in overhead_lines(gpu.compute_capability):
                line(what, name, size, "assumed")
                overhead += size
        devices.append(
            DeviceUse.model_construct(
                name=name,
                weights_bytes=allocation.weights[index],
                kv_bytes=kv,
                compute_bytes=allocation.compute[index],
                overhead_bytes=overhead,
                total_bytes=own + overhead,
            )
        )
    host_kv = allocation.host_cache + allocation.host_state
    line("weights", "host", allocation.host_weights, weights_basis)
    line("KV cache", "host", allocation.host_cache, "formula")
    line("recurrent state", "host", allocation.host_state, "formula")
    line("compute buffer", "host", allocation.host_compute, "formula")
    line("output buffer", "host", allocation.output, "formula")
    host = HostUse.model_construct(
        weights_bytes=allocation.host_weights,
        kv_bytes=host_kv,
        compute_bytes=allocation.host_compute,
        output_bytes=allocation.output,
        total_bytes=allocation.host_weights + host_kv + allocation.host_compute + allocation.output,
    )
    context = options.context
    return MemoryEstimate.model_construct(
        n_ctx=context.n_ctx,
        n_ctx_seq=context.n_ctx_seq,
        n_ubatch=context.n_ubatch,
        devices=devices,
        host=host,
        lines=lines,
        warnings=list(_warnings(anatomy, options, allocation)),
    )


def _warnings(anatomy: Anatomy, options: Options, allocation: Allocation) -> t.Iterator[str]:
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
