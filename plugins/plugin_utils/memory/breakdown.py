# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the weights of a launch are, by kind and layer, and where each part lies: for pictures, to the byte as `estimate`."""

from __future__ import annotations

import re
import typing as t

from ..contract.launch import Launch
from ..model.model import Model
from .allocation import allocate, split_of
from .anatomy import anatomy_of
from .options import options_of
from .placement import HOST, layer_devices
from .weights import EXPERTS, Size, device_of, loaded, outside_blocks, size_of

Kind = t.Literal["attention", "experts", "shared experts", "feed-forward", "recurrent", "embeddings"]

# The first that is found in a tensor's name says what it is for. Norms and small tensors go with the attention.
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("experts", EXPERTS),
    ("shared experts", re.compile(r"\.ffn_\w*shexp")),
    ("feed-forward", re.compile(r"\.ffn_")),
    ("recurrent", re.compile(r"\.(ssm_|shortconv|time_mix)")),
)


class Part(t.NamedTuple):
    """Bytes of one kind in one layer, on one device: an index among the launch's GPUs, or `placement.HOST`.

    `layer` is None for what belongs to no block: embeddings and output.
    """

    layer: int | None
    kind: Kind
    device: int
    bytes: int


def weight_parts(model: Model, launch: Launch, free: t.Sequence[float]) -> list[Part]:
    """Return the weights of a launch in parts, summed over the tensors of a kind.

    :param free: free bytes of each of the host's GPUs.
    :raises LaunchRefused: llama-server would refuse the launch.
    """
    anatomy = anatomy_of(model)
    options = options_of(launch, anatomy, len(free))
    split = split_of(options, [free[position] for position in options.gpus])
    devices = layer_devices(anatomy.n_layer, options.n_gpu_layers, split)
    sums: dict[tuple[int | None, Kind, int], int] = {}

    def put(layer: int | None, kind: Kind, device: int, size: Size) -> None:
        taken = size.gpu if device != HOST else size.pinned if options.pinned else size.host
        sums[layer, kind, device] = sums.get((layer, kind, device), 0) + taken

    for index in range(anatomy.n_layer):
        for name, tensor in loaded(anatomy, index, options.mtp):
            device = device_of(anatomy, index, name, devices[index], options.overrides)
            put(index, _kind(name), device, size_of(tensor))
    for size, device in outside_blocks(anatomy, devices, options.mtp):
        put(None, "embeddings", device, size)
    return [Part(*key, size) for key, size in sums.items() if size]


def _kind(name: str) -> Kind:
    return next((kind for kind, pattern in _KINDS if pattern.search(f".{name}")), "attention")


def flash_attention(model: Model, launch: Launch, free: t.Sequence[float]) -> bool:
    """Return whether attention runs as flash attention, with what the engine decides itself where the launch says auto."""
    anatomy = anatomy_of(model)
    options = options_of(launch, anatomy, len(free))
    return allocate(anatomy, options, [free[position] for position in options.gpus]).flash
