# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes per device as plain numbers: what a planner asks thousands of times.

`prepare` once per model and launch, `allocate` for every placement of it.
"""

from __future__ import annotations

import typing as t

from .anatomy import Anatomy
from .compute_buffer.builder import Setting
from .compute_buffer.reserve import Buffers, compute_buffers
from .compute_buffer.schedule import PIPELINE_COPIES
from .crashes import check_slots
from .kv_cache import Bytes, cache_bytes, check_types
from .options import Options
from .placement import HOST, cumulative_split, layer_devices
from .recurrent_state import state_bytes
from .weights import weight_bytes


class Caches(t.NamedTuple):
    """What each block's cache and recurrent state take, for one context."""

    cache: list[Bytes]
    state: list[Bytes]


class Allocation(t.NamedTuple):
    """Bytes of one launch: per GPU in the launch's order, and on the host."""

    layers: tuple[int, ...]
    weights: tuple[int, ...]
    cache: tuple[int, ...]
    state: tuple[int, ...]
    compute: tuple[int, ...]
    host_weights: int
    host_cache: int
    host_state: int
    host_compute: int
    output: int
    flash: bool


def prepare(anatomy: Anatomy, options: Options) -> Caches:
    """Return the sizes that do not depend on where blocks lie.

    :raises LaunchRefused: llama-server refuses these cache types for this model.
    """
    key = "caches", options.context, options.types
    known = anatomy.memo.get(key)
    if known is None:
        check_types(anatomy, options.types)
        check_slots(anatomy, options.context)
        known = anatomy.memo[key] = Caches(
            cache_bytes(anatomy, options.context, options.types), state_bytes(anatomy, options.context)
        )
    return known


def allocate(anatomy: Anatomy, options: Options, free: t.Sequence[float]) -> Allocation:
    """Return what a launch takes.

    :param free: free bytes per GPU of the launch, by which layers are shared where the launch does not say.
    :raises LaunchRefused: llama-server refuses the launch, or crashes at it.
    """
    caches = prepare(anatomy, options)
    n_gpus = len(options.gpus)
    layers = layer_devices(anatomy.n_layer, options.n_gpu_layers, split_of(options, free))
    weights, host_weights = weight_bytes(anatomy, layers, n_gpus, options.overrides, options.pinned, options.mtp)
    gpu_cache, gpu_state = [0] * n_gpus, [0] * n_gpus
    host_cache = host_state = 0
    for device, cache, state in zip(layers, caches.cache, caches.state, strict=False):
        if device == HOST or not options.kv_offload:
            host_cache += cache.host
            host_state += state.host
        else:
            gpu_cache[device] += cache.gpu
            gpu_state[device] += state.gpu
    buffers = _buffers(anatomy, options, layers)
    return Allocation(
        layers=layers,
        weights=tuple(weights),
        cache=tuple(gpu_cache),
        state=tuple(gpu_state),
        compute=buffers.gpu,
        host_weights=host_weights,
        host_cache=host_cache,
        host_state=host_state,
        host_compute=buffers.host,
        output=4 * anatomy.vocab * options.context.n_seqs,
        flash=buffers.flash,
    )


def split_of(options: Options, free: t.Sequence[float]) -> tuple[float, ...]:
    """Return the upper end of each device's share of the layers; `free` as in `allocate`."""
    n_gpus = len(options.gpus)
    if n_gpus < 2:
        return (1.0,) * n_gpus
    shares: t.Sequence[float] = options.shares if options.shares is not None else free
    if not any(shares):
        shares = (1.0,) * n_gpus
    return cumulative_split(shares)


def _buffers(anatomy: Anatomy, options: Options, layers: tuple[int, ...]) -> Buffers:
    everything_on_gpus = HOST not in layers
    overridden = bool(options.overrides.host_experts or options.overrides.patterns)
    pipelined = len(options.gpus) > 1 and everything_on_gpus and options.kv_offload and not overridden
    setting = Setting(
        context=options.context,
        types=options.types,
        devices=layers,
        n_gpus=len(options.gpus),
        overrides=options.overrides,
        op_offload=options.op_offload,
        kv_offload=options.kv_offload,
        copies=PIPELINE_COPIES if pipelined else 1,
        flash=options.flash is not False,
        adapters=options.adapters,
        cache_copies=options.cache_copies,
    )
    return compute_buffers(anatomy, setting, automatic=options.flash is None)
