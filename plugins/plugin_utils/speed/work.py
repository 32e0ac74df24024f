# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one token makes each device of a layout do: sums over the layers that it holds."""

from __future__ import annotations

import copy
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
        layers = activity.layers
        self._dense = _Sums([_dense(layer) for layer in layers])
        self._experts = _Sums([_experts(layer) for layer in layers])
        self._with_experts = list(itertools.accumulate((bool(layer.expert_bytes) for layer in layers), initial=0))
        self._share = max((layer.expert_share for layer in layers), default=0.0)
        self._look_back(type_k, type_v)

    def at(self, depth: int, type_k: str, type_v: str) -> Workload:
        """Return the same model at another depth, or with another type of cache."""
        other = copy.copy(self)
        other.depth = depth
        other._dense = copy.copy(self._dense)
        other._look_back(type_k, type_v)
        return other

    def _look_back(self, type_k: str, type_v: str) -> None:
        cells = [layer.cells(self.depth) for layer in self.activity.layers]
        layers = list(zip(self.activity.layers, cells, strict=True))
        self._dense.replace(
            cache_bytes=[number * layer.cell_bytes(type_k, type_v) + layer.state_bytes for layer, number in layers],
            attention_flops=[layer.cell_flops * number for layer, number in layers],
        )

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
        host_experts, beside = self._experts.between(0, host_layers), 0
        for place, count in enumerate(counts):
            end = start + count
            border = min(max(start, borders[place] if borders else start), end)
            parts.append(Part(self._dense.between(start, end), self._experts.between(border, end)))
            host_experts = host_experts.plus(self._experts.between(start, border))
            beside += self._with_experts[border] - self._with_experts[start]
            start = end
        host = Part(self._dense.between(0, host_layers), host_experts)
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


class _Sums:
    """Sums of the loads of the first layers, part by part, so that any layers in a row are a difference."""

    def __init__(self, loads: t.Sequence[Load]) -> None:
        columns = zip(*loads, strict=True) if loads else ((),) * len(Load._fields)
        self._columns = dict(zip(Load._fields, map(_sums, columns), strict=True))

    def __copy__(self) -> _Sums:
        other = _Sums(())
        other._columns = dict(self._columns)
        return other

    def replace(self, **parts: t.Iterable[float]) -> None:
        """Put other values for some parts."""
        self._columns |= {name: _sums(values) for name, values in parts.items()}

    def between(self, start: int, end: int) -> Load:
        """Return the load of the layers from `start` to before `end`."""
        return Load(*(sums[end] - sums[start] for sums in self._columns.values()))


def _sums(values: t.Iterable[float]) -> list[float]:
    return list(itertools.accumulate(map(float, values), initial=0.0))


def _dense(layer: LayerActivity) -> Load:
    """Return the load of a layer without its experts, but for what looks back at the context."""
    return Load(
        read_bytes=layer.dense_bytes,
        packed_values=layer.dense_packed,
        kernels=layer.kernels,
        flops=2.0 * layer.dense_values,
        stored_bytes=layer.dense_bytes,
    )


def _experts(layer: LayerActivity) -> Load:
    return Load(
        read_bytes=layer.expert_bytes * layer.expert_share,
        packed_values=layer.expert_packed * layer.expert_share,
        kernels=float(layer.expert_kernels),
        flops=2.0 * layer.expert_values * layer.expert_share,
        stored_bytes=float(layer.expert_bytes),
    )
