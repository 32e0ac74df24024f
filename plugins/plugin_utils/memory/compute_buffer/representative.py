# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few blocks that stand for all: repeated blocks use the same memory again.

A model is a walk over kinds of blocks. Every pair of kinds that follow each other is kept, several times; what only
repeats such pairs is left out. GPUs in the middle that hold the same walk have the same buffer: one stands for all. The
buffers come out the same, in a fraction of the time.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import typing as t

from ..adapters import Adapters
from ..anatomy import Anatomy
from ..placement import HOST
from ..weights import moved
from .builder import Setting

# How often a pair of neighbours is kept before further ones count as repetition.
KEPT = 3
# Of blocks in a row whose tensors an override places alike, so many rows a GPU, and one more, are no scattering.
RUNS_PER_GPU = 3
# Graphs whose blocks leave nothing behind, if their caches are on their devices. Recurrent states, caches read by later blocks and lists of best cells do: how
# free memory is cut up then depends on the whole walk, and all blocks are built.
REPEATING = ("mla", "parallel", "transformer")


class Representation(t.NamedTuple):
    """The blocks to build; for GPUs that none of them is on, the GPU with the same buffer; and a key.

    The key is equal for launches whose graphs consist of the same parts.
    """

    blocks: list[int]
    twins: tuple[tuple[int, int], ...]
    key: t.Any


def representative_blocks(anatomy: Anatomy, setting: Setting) -> Representation:
    """Return what stands for the graph of a launch."""
    copied = setting.n_gpus > 0 and not setting.kv_offload
    if anatomy.drafting or copied or anatomy.architecture.graph not in REPEATING or _is_scattered(anatomy, setting):
        return Representation(list(anatomy.own_blocks), (), (setting.devices, setting.overrides))
    elsewhere = moved(anatomy, setting.overrides)
    kinds = [_kind(anatomy, setting, index, elsewhere[index]) for index in range(anatomy.n_trunk)]
    places = setting.devices[: anatomy.n_trunk]
    twins = _twins(kinds, places)
    there = [index for index, place in enumerate(places) if place not in twins]
    blocks = [there[at] for at in walk([(kinds[index], places[index]) for index in there])]
    ends = setting.devices[0], setting.devices[anatomy.n_layer]
    parts = tuple((kinds[index], places[index]) for index in blocks)
    return Representation(blocks, tuple(twins.items()), (parts, ends, tuple(twins.items())))


def _is_scattered(anatomy: Anatomy, setting: Setting) -> bool:
    """Whether overrides place tensors of blocks here and there, so that how memory is cut up depends on the whole walk."""
    if not setting.overrides.patterns:
        return False
    runs = itertools.groupby(moved(anatomy, setting.overrides)[: anatomy.n_trunk])
    return sum(1 for _run in runs) > RUNS_PER_GPU * max(1, setting.n_gpus) + 1


def _twins(kinds: t.Sequence[t.Hashable], places: t.Sequence[int]) -> dict[int, int]:
    """Return the GPUs between others whose blocks, in a row, are the same walk as an earlier GPU's.

    Not the first GPU, which computes for the host too, nor that of the last block, which keeps the output's rows only.
    """
    runs = [(place, list(group)) for place, group in itertools.groupby(range(len(places)), places.__getitem__)]
    numbers = collections.Counter(place for place, _run in runs)
    twins: dict[int, int] = {}
    known: dict[t.Hashable, int] = {}
    for (before, _earlier), (place, run) in itertools.pairwise(runs):
        if HOST in (before, place) or place in (0, places[-1]) or numbers[place] > 1:
            continue
        walked = [kinds[index] for index in run]
        first = known.setdefault(tuple(walked[at] for at in walk(walked)), place)
        if first != place:
            twins[place] = first
    return twins


def walk(kinds: t.Sequence[t.Hashable]) -> list[int]:
    """Return positions of `kinds` whose neighbours are the same pairs as in all of it."""
    kept: list[int] = []
    pairs: collections.Counter[tuple[t.Hashable, t.Hashable]] = collections.Counter()
    latest: dict[t.Hashable, list[int]] = {}
    for position, kind in enumerate(kinds):
        if kept:
            pairs[kinds[kept[-1]], kind] += 1
        kept.append(position)
        seen = latest.setdefault(kind, [])
        if seen:
            start = seen[-1]
            loop = [(kinds[kept[at]], kinds[kept[at + 1]]) for at in range(start, len(kept) - 1)]
            counts = collections.Counter(loop)
            if all(pairs[pair] - count >= KEPT for pair, count in counts.items()):
                # back at a kind already there, and nothing new on the way
                for at in kept[start + 1 :]:
                    dropped = latest[kinds[at]]
                    if dropped and dropped[-1] > start:
                        dropped.pop()
                pairs.subtract(counts)
                del kept[start + 1 :]
                kept[start] = position
                continue
        seen.append(len(kept) - 1)
    return kept


def _kind(anatomy: Anatomy, setting: Setting, index: int, elsewhere: t.Hashable) -> t.Hashable:
    """What distinguishes a block in the graph beside its device: its structure, and its tensors if they are copied."""
    structure: t.Hashable
    typed: t.Hashable
    structure, typed = _structures(anatomy)[index]
    if setting.adapters is not None:
        adapted = _adapted(setting.adapters, index)
        structure, typed = (structure, adapted), (typed, adapted)
    if elsewhere:
        return typed, elsewhere
    return typed if setting.devices[index] == HOST else structure


def _adapted(adapters: Adapters, index: int) -> t.Hashable:
    return tuple(
        (name, *((tensor.shape, tensor.type) for pair in pairs for tensor in pair))
        for (block, name), pairs in adapters.pairs.items()
        if block == index
    )


def _structures(anatomy: Anatomy) -> list[tuple[int, int]]:
    """Return small numbers for each block: equal for equal structure, and for equal structure and types."""
    known = anatomy.memo.get("structures")
    if known is None:
        numbers: dict[t.Hashable, int] = {}
        known = []
        for index, layer in enumerate(anatomy.layers):
            tensors = sorted(anatomy.blocks[index].items())
            shape = (
                dataclasses.astuple(dataclasses.replace(layer, index=0, cache_layer=0)),
                tuple((name, tensor.shape) for name, tensor in tensors),
                _by_position(anatomy, index),
            )
            types = shape, tuple(tensor.type for _name, tensor in tensors)
            known.append((numbers.setdefault(shape, len(numbers)), numbers.setdefault(types, len(numbers))))
        anatomy.memo["structures"] = known
    return known


def _by_position(anatomy: Anatomy, index: int) -> t.Hashable:
    """What llama.cpp makes of a block's position alone."""
    return (
        anatomy.name == "smollm3" and (index + 1) % 4 == 0,
        index < int(anatomy.get("n_deepstack_layers", 0) or 0),
        anatomy.name == "gemma3n" and index < 10,
    )
