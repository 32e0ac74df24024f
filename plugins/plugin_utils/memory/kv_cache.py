# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes of the caches: keys and values, the indexer's keys, and deepseek4's compressed caches.

One rule a function; what differs between models is in `anatomy.Layer`. `n` cells are `n_ctx_seq` per stream. Sources:
`llama-kv-cache*.cpp` of llama.cpp 0.7.0.
"""

from __future__ import annotations

import typing as t

from ...module_utils.ggml_types import ggml_type
from .alignment import CPU_ALIGNMENT, CUDA_ALIGNMENT, cuda_bytes
from .anatomy import Anatomy, Layer
from .context import Context, pad
from .refusals import LaunchRefused


class CacheTypes(t.NamedTuple):
    """How the cache is kept: ggml types of K and V, whether V is stored transposed, and full-size windows.

    V is transposed where flash attention is off by option. Where the engine turns it off itself the cache is made already.
    """

    k: str = "F16"
    v: str = "F16"
    transposed: bool = False
    swa_full: bool = False


class Bytes(t.NamedTuple):
    """What one block's tensors take on a CUDA device, and on the host."""

    gpu: int
    host: int


NOTHING = Bytes(0, 0)


def cell_bytes(name: str, elements: int) -> int:
    """Return what one cell of `elements` takes in a cache of this type."""
    kind = ggml_type(name)
    return -(-elements // kind.block_elements) * kind.block_bytes


def _tensor(name: str, width: int, cells: int) -> Bytes:
    """A tensor of `cells` rows of `width` elements."""
    if not width:
        return NOTHING
    size = cell_bytes(name, width) * cells
    return Bytes(cuda_bytes(size, name, width), pad(size, CPU_ALIGNMENT))


def _floats(count: int) -> Bytes:
    return Bytes(pad(4 * count, CUDA_ALIGNMENT), pad(4 * count, CPU_ALIGNMENT))


def total(parts: t.Iterable[Bytes]) -> Bytes:
    """Return the sum of several tensors."""
    gpu = host = 0
    for part in parts:
        gpu += part.gpu
        host += part.host
    return Bytes(gpu, host)


def cells_of(anatomy: Anatomy, layer: Layer, context: Context, swa_full: bool) -> int:
    """Return the cells per stream of this block's cache."""
    if layer.windowed and not swa_full:
        return context.window_cells(anatomy.window)
    return context.n_ctx_seq


def cache_bytes(anatomy: Anatomy, context: Context, types: CacheTypes) -> list[Bytes]:
    """Return what every block's cache takes.

    Where V is stored transposed every block gets the widest V of all blocks.
    """
    if anatomy.architecture.graph == "deepseek4":
        return [_compressed(anatomy, layer, context, types) for layer in anatomy.layers]
    widest = {False: 0, True: 0}
    if types.transposed:
        most = max((layer.v_width for layer in anatomy.layers), default=0)
        widest = {False: most, True: most}
    known: dict[tuple[t.Any, ...], Bytes] = {}
    result = []
    for layer in anatomy.layers:
        if not layer.in_cache and not layer.indexer_k:
            result.append(NOTHING)
            continue
        v_width = widest[layer.windowed] or layer.v_width
        kind = (layer.k_width, v_width, layer.windowed, layer.indexer_k, layer.indexer_v)
        size = known.get(kind)
        if size is None:
            cells = context.streams * cells_of(anatomy, layer, context, types.swa_full)
            size = known[kind] = total(
                (
                    _tensor(types.k, layer.k_width, cells),
                    _tensor(types.v, v_width, cells),
                    _tensor(types.k, layer.indexer_k, context.streams * context.n_ctx_seq),
                    _tensor(types.v, layer.indexer_v, context.streams * context.n_ctx_seq),
                )
            )
        result.append(size)
    return result


def _compressed(anatomy: Anatomy, layer: Layer, context: Context, types: CacheTypes) -> Bytes:
    """deepseek4: a window of raw keys, and all keys compressed by the block's ratio, each slot with its own stream.

    `attention.compress_ratios` 4 adds the indexer's keys at the same ratio. The compressors keep f32 states: 8 rows of
    twice both widths at ratio 4, 128 rows of twice the key length at 128.
    """
    if layer.index >= anatomy.n_trunk:
        return NOTHING
    slots, states = context.n_seqs, context.n_seqs * context.kept_states
    width = layer.key_length
    indexer = int(anatomy.get("attention.indexer.key_length", 0))
    raw = context.n_ctx_seq
    if not types.swa_full:
        raw = pad(min(raw, anatomy.window + context.n_ubatch), 256)
    parts = [_tensor(types.k, width, slots * raw)]
    if layer.ratio:
        cells = slots * pad(-(-context.n_ctx_seq // layer.ratio), 256)
        parts.append(_tensor(types.k, width, cells))
        if layer.ratio == 4:
            parts.append(_tensor(types.k, indexer, cells))
            parts += [_floats(states * 8 * 2 * width)] * 2 + [_floats(states * 8 * 2 * indexer)] * 2
        else:
            parts += [_floats(states * layer.ratio * width)] * 2
    return total(parts)


def check_types(anatomy: Anatomy, types: CacheTypes) -> None:
    """Refuse cache types that llama-server refuses for this model.

    :raises LaunchRefused: with the reason.
    """
    single = anatomy.mla or anatomy.architecture.graph == "deepseek4"
    if single and types.k != types.v:
        raise LaunchRefused(
            f"cache_type_k is {types.k.lower()} and cache_type_v {types.v.lower()}; a model with multi-head latent"
            " attention keeps both in one cache, so they must be equal"
        )
    if types.transposed and ggml_type(types.v).block_elements > 1:
        raise LaunchRefused(
            f"cache_type_v is {types.v.lower()} and flash_attn is off; a quantised V cache needs flash attention"
        )
    for option, name, lengths in (
        ("cache_type_k", types.k, {layer.key_length for layer in anatomy.layers if layer.k_width}),
        ("cache_type_v", types.v, {layer.value_length for layer in anatomy.layers if layer.v_width}),
    ):
        block = ggml_type(name).block_elements
        for length in lengths:
            if block > 1 and length % block:
                raise LaunchRefused(
                    f"{option} is {name.lower()}, whose blocks of {block} do not divide this model's head of {length}"
                )
