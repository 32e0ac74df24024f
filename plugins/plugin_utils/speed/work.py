# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one token makes each device of a layout do: sums over the layers that it holds."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from .activity import Activity, LayerActivity


class Load(t.NamedTuple):
    """What a token asks of some layers: bytes of weights read and values unpacked, bytes of cache, launches, arithmetic.

    `stored_bytes` are all bytes of the weights, of which experts are read by a share only.
    """

    read_bytes: float = 0.0
    packed_values: float = 0.0
    cache_bytes: float = 0.0
    kernels: float = 0.0
    flops: float = 0.0
    attention_flops: float = 0.0
    stored_bytes: float = 0.0

    def plus(self, other: Load) -> Load:
        """Return the sum of two loads."""
        return Load(*map(float.__add__, self, other))

    def minus(self, other: Load) -> Load:
        """Return the difference of two loads, of which one is a part of the other."""
        return Load(*map(float.__sub__, self, other))


class Part(t.NamedTuple):
    """The load of one device: all but routed experts, and those."""

    dense: Load = Load()
    experts: Load = Load()


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """One token over all devices. `parts` are the GPUs in order; `hops` the times that it changes device.

    `logits` the values chosen among, `width` the embedding's length, `expert_share` the share
    of the experts that one token is sent to. `pipelined`: whether llama.cpp lets several batches run on different GPUs.
    """

    parts: tuple[Part, ...]
    host: Part
    hops: int
    logits: int
    width: int
    expert_share: float
    pipelined: bool


class Workload:
    """A model at one depth of context and with one type of cache: asked for layouts again and again, in constant time.

    :param depth: tokens already in the context, which attention looks back at.
    """

    def __init__(self, activity: Activity, depth: int, type_k: str = "f16", type_v: str = "f16") -> None:
        self.activity = activity
        self.depth = depth
        dense = [_dense(layer, depth, type_k, type_v) for layer in activity.layers]
        experts = [_experts(layer) for layer in activity.layers]
        self._dense = list(itertools.accumulate(dense, Load.plus, initial=Load()))
        self._experts = list(itertools.accumulate(experts, Load.plus, initial=Load()))
        self._with_experts = list(
            itertools.accumulate((bool(layer.expert_bytes) for layer in activity.layers), initial=0)
        )
        self._share = max((layer.expert_share for layer in activity.layers), default=0.0)

    @property
    def layers(self) -> int:
        """Layers of the model, the output counted as the last."""
        return len(self.activity.layers)

    def work(self, counts: t.Sequence[int], host_layers: int = 0, borders: t.Sequence[int] | None = None) -> Work:
        """Return the work of a layout.

        :param counts: layers on each GPU, in the order of the GPUs; with `host_layers` all layers, the output included.
        :param host_layers: the first layers, which stay with the host altogether.
        :param borders: for each GPU its first layer whose routed experts are on it; those before stay with the host.
        :raises ValueError: the counts do not add up to the model's layers.
        """
        if host_layers + sum(counts) != self.layers:
            raise ValueError(
                f"layers: {host_layers} with the host and {list(counts)} on GPUs are not the {self.layers} of the model"
            )
        parts, start = [], host_layers
        host_experts, beside = self._experts[host_layers], 0
        for place, count in enumerate(counts):
            end = start + count
            border = min(max(start, borders[place] if borders else start), end)
            parts.append(
                Part(self._dense[end].minus(self._dense[start]), self._experts[end].minus(self._experts[border]))
            )
            host_experts = host_experts.plus(self._experts[border].minus(self._experts[start]))
            beside += self._with_experts[border] - self._with_experts[start]
            start = end
        host = Part(self._dense[host_layers], host_experts)
        used = sum(1 for count in counts if count)
        return Work(
            parts=tuple(parts),
            host=host,
            hops=max(0, used - 1) + int(bool(host_layers and used)) + (2 * beside if used else 0),
            logits=self.activity.vocabulary,
            width=self.activity.embedding,
            expert_share=self._share,
            pipelined=used > 1 and not host_layers and not beside,
        )


def _dense(layer: LayerActivity, depth: int, type_k: str, type_v: str) -> Load:
    cells = layer.cells(depth)
    return Load(
        read_bytes=float(layer.dense_bytes),
        packed_values=float(layer.dense_packed),
        cache_bytes=float(cells * layer.cell_bytes(type_k, type_v) + layer.state_bytes),
        kernels=float(layer.kernels),
        flops=2.0 * layer.dense_values,
        attention_flops=float(layer.cell_flops * cells),
        stored_bytes=float(layer.dense_bytes),
    )


def _experts(layer: LayerActivity) -> Load:
    return Load(
        read_bytes=layer.expert_bytes * layer.expert_share,
        packed_values=layer.expert_packed * layer.expert_share,
        kernels=float(layer.expert_kernels),
        flops=2.0 * layer.expert_values * layer.expert_share,
        stored_bytes=float(layer.expert_bytes),
    )
