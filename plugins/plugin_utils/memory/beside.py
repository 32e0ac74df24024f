# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is loaded beside the model: a projector, a draft, LoRA adapters. Each becomes bytes per GPU and on the host."""

from __future__ import annotations

import typing as t

from ..contract.launch import Launch
from ..contract.memory import Basis, DeviceUse, HostUse, MemoryLine
from ..model.model import Model
from .adapters import adapter_bytes
from .allocation import Allocation, allocate
from .anatomy import Anatomy, anatomy_of, drafting_anatomy
from .options import Options, options_of
from .placement import HOST, device_position
from .projector import projector_of
from .refusals import LaunchRefused
from .speculation import draft_launch, drafts_with_a_model, drafts_with_own_blocks, own_blocks_options

F32 = 4

# What is added while the server runs, by the work that it is given.
_LARGEST_IMAGE = "projector compute buffer, largest image"
_LARGEST_INPUTS = "projector inputs, largest image"
_LARGER_OUTPUT = "output buffer, larger"
_GROWING = (_LARGEST_IMAGE, _LARGEST_INPUTS, _LARGER_OUTPUT)


class Beside(t.NamedTuple):
    """The files that a launch loads beside the model, as models."""

    projector: Model | None = None
    draft: Model | None = None
    adapters: tuple[Model, ...] = ()


NOTHING_BESIDE = Beside()


class Piece(t.NamedTuple):
    """Bytes on one of the host's GPUs, by its position, or on the host. `later`: added while the server runs."""

    what: str
    where: int
    bytes: int
    basis: Basis = "formula"
    later: bool = False
    pinned: bool = False


def most_bytes(lines: t.Iterable[MemoryLine], use: DeviceUse | HostUse) -> int:
    """Return the bytes that a place of an estimate holds once what is beside the model has grown.

    A request that needs them ends the server where there is no room. The prompt cache and checkpoints are not counted: the
    launch limits them. Nor is CUDA's pool, which is not llama.cpp's own.
    """
    where = use.name if isinstance(use, DeviceUse) else "host"
    return use.total_bytes + sum(
        line.bytes for line in lines if line.later and line.where == where and line.what in _GROWING
    )


def pieces_beside(
    launch: Launch,
    beside: Beside,
    anatomy: Anatomy,
    options: Options,
    allocation: Allocation,
    free: t.Sequence[float],
    n_gpus: int,
) -> t.Iterator[Piece]:
    """Yield everything that is loaded beside the model.

    :param free: free bytes of every GPU of the host.
    :raises LaunchRefused: the launch names a device that the host does not have.
    :raises UnknownModel: a file is not what it should be.
    """
    if beside.projector is not None:
        yield from _projector(launch, beside.projector, options, n_gpus)
    if options.adapters is not None:
        gpu, host = adapter_bytes(options.adapters, anatomy, allocation.layers, len(options.gpus), options.overrides)
        for position, size in zip(options.gpus, gpu, strict=True):
            yield Piece("LoRA adapters", position, size, "file")
        yield Piece("LoRA adapters", HOST, host, "file")
    if beside.draft is not None and drafts_with_a_model(launch):
        yield from _draft(launch, beside.draft, options, allocation, free, n_gpus)
    if drafts_with_own_blocks(launch):
        yield from _own_blocks(launch, anatomy, options, free)
    context = options.context
    if context.drafted:
        rows = F32 * anatomy.vocab * context.n_seqs * context.drafted
        states = F32 * anatomy.embd * context.n_batch if drafts_with_own_blocks(launch) else 0
        # what is checked at once gives a row of logits each; nextn blocks read the hidden states of the whole batch
        yield Piece(_LARGER_OUTPUT, HOST, max(rows, states), "bound", later=True, pinned=bool(options.gpus))


def _projector(launch: Launch, model: Model, options: Options, n_gpus: int) -> t.Iterator[Piece]:
    projector = projector_of(model, options.flash is not False, launch.image_max_tokens, warm_up=not launch.no_warmup)
    basis: Basis = "formula" if projector.known else "bound"
    device = _projector_device(launch, n_gpus)
    grown = projector.largest_compute - projector.compute
    if device == HOST:
        yield Piece("projector weights", HOST, projector.host_weights, "file")
        yield Piece("projector compute buffer", HOST, projector.compute, basis)
        yield Piece(_LARGEST_IMAGE, HOST, grown, basis, later=True)
        return
    yield Piece("projector weights", device, projector.gpu_weights, "file")
    yield Piece("projector compute buffer", device, projector.compute, basis)
    yield Piece(_LARGEST_IMAGE, device, grown, basis, later=True)
    yield Piece("projector inputs", HOST, projector.host_compute, basis)
    grown = projector.largest_host_compute - projector.host_compute
    yield Piece(_LARGEST_INPUTS, HOST, grown, basis, later=True)


def _projector_device(launch: Launch, n_gpus: int) -> int:
    """The projector is on the first GPU of the launch's devices, whatever the layers do, unless it is told another."""
    named = launch.mmproj_device
    if launch.no_mmproj_offload or (named or "").lower() == "none":
        return HOST
    if named is None:
        if launch.device is None:
            return 0 if n_gpus else HOST
        named = launch.device[0]
        if named.lower() == "none":
            return HOST
    position = device_position(named, n_gpus)
    if position is None:
        raise LaunchRefused("mmproj_device is not one of this host's devices, such as CUDA0, nor none")
    return position


def _draft(
    launch: Launch, model: Model, options: Options, allocation: Allocation, free: t.Sequence[float], n_gpus: int
) -> t.Iterator[Piece]:
    anatomy = anatomy_of(model)
    own = options_of(draft_launch(launch, options.context), anatomy, n_gpus)
    left = list(free)
    for index, position in enumerate(options.gpus):
        # it is loaded when the model and its context are there
        taken = (
            allocation.weights[index] + allocation.cache[index] + allocation.state[index] + allocation.compute[index]
        )
        left[position] = max(0.0, left[position] - taken)
    drafting = allocate(anatomy, own, [left[position] for position in own.gpus])
    for index, position in enumerate(own.gpus):
        yield Piece("draft weights", position, drafting.weights[index], "file")
        yield Piece("draft KV cache", position, drafting.cache[index] + drafting.state[index])
        yield Piece("draft compute buffer", position, drafting.compute[index])
    yield Piece("draft weights", HOST, drafting.host_weights, "file")
    yield Piece("draft KV cache", HOST, drafting.host_cache + drafting.host_state)
    yield Piece("draft compute buffer", HOST, drafting.host_compute, pinned=bool(own.gpus))
    yield Piece("draft output buffer", HOST, drafting.output, pinned=drafting.layers[-1] != HOST)


def _own_blocks(launch: Launch, anatomy: Anatomy, options: Options, free: t.Sequence[float]) -> t.Iterator[Piece]:
    """The nextn blocks' weights are the model's; their context is a second one."""
    context = options.context
    own = own_blocks_options(launch, options)
    drafting = allocate(drafting_anatomy(anatomy), own, [free[position] for position in own.gpus])
    for index, position in enumerate(own.gpus):
        yield Piece("draft KV cache", position, drafting.cache[index])
        yield Piece("draft compute buffer", position, drafting.compute[index])
    yield Piece("draft KV cache", HOST, drafting.host_cache)
    yield Piece("draft compute buffer", HOST, drafting.host_compute, pinned=bool(own.gpus))
    # logits, probabilities, candidates and samples of each slot, and the hidden state it goes on from
    output = F32 * context.n_seqs * (4 * anatomy.vocab + anatomy.embd + 1)
    yield Piece("draft output buffer", HOST, output, pinned=drafting.layers[-1] != HOST)
