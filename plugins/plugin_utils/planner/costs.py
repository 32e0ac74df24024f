# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a model costs the planner: bytes of each layer on a GPU, and the whole estimate of a launch."""

from __future__ import annotations

import functools
import math
import typing as t

from ...module_utils.ggml_types import tensor_bytes
from ..contract.launch import CacheType, Launch
from ..contract.memory import MemoryEstimate
from ..contract.request import Demand
from ..memory.anatomy import anatomy_of
from ..memory.beside import NOTHING_BESIDE, Beside
from ..memory.context import context_of
from ..memory.estimate import estimate
from ..memory.kv_cache import CacheTypes, cache_bytes
from ..memory.projector import projector_of
from ..memory.recurrent_state import state_bytes
from ..memory.weights import EXPERTS, block_bytes, expert_bytes, output_bytes
from ..model import source
from ..model.model import Model
from ..speed.activity import activity
from ..speed.work import Workload
from .layout import PROJECTIONS, Layout, Shape
from .machine import Device


class Costs:
    """One model with one version of the engine. A layer is a block; the output is one more layer, the last.

    :param beside: what is loaded with the model, whatever the layout.
    """

    def __init__(self, model: Model, engine: dict[str, t.Any], beside: Beside = NOTHING_BESIDE) -> None:
        self.model = model
        self.engine = engine
        self.beside = beside
        self._anatomy = anatomy_of(model)
        blocks = block_bytes(self._anatomy)
        self._rest = [rest.gpu for rest, _experts in blocks] + [output_bytes(self._anatomy).gpu]
        self.layers = len(self._rest)

    @functools.cached_property
    def experts(self) -> list[dict[str, int]]:
        """Return for each layer the bytes on a GPU of its routed experts, by projection; empty where it has none."""
        found = [*expert_bytes(self._anatomy), {}]
        return [{name: layer[name] for name in PROJECTIONS if name in layer} for layer in found]

    @functools.cached_property
    def whole_experts(self) -> dict[int, tuple[str, ...]]:
        """Return the projections of each layer that has routed experts."""
        return {index: tuple(layer) for index, layer in enumerate(self.experts) if layer}

    def hosted_experts(self, first: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Return all experts of the layers from `first` on as being with the host."""
        return tuple(item for item in self.whole_experts.items() if item[0] >= first)

    @functools.cached_property
    def model_bytes(self) -> int:
        """Return the bytes of all tensors, as in the files."""
        return sum(tensor_bytes(tensor.type, tensor.shape) for tensor in self.model.tensors)

    @property
    def beside_bytes(self) -> int:
        """Return the bytes of the files that are loaded with the model."""
        return sum(file.size_bytes for file in self.beside.projector.files) if self.beside.projector else 0

    @functools.cached_property
    def parameters(self) -> int:
        """Return the number of values of all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.model.tensors)

    @functools.cached_property
    def active_parameters(self) -> int:
        """Return the number of values that one token is multiplied with: of routed experts, the share that it is sent to."""
        experts = int(self.model.get("expert_count") or 0)
        share = int(self.model.get("expert_used_count") or 0) / experts if experts else 1.0
        looked_up = {"token_embd.weight"} if any(t.name == "output.weight" for t in self.model.tensors) else set()
        return round(
            sum(
                math.prod(tensor.shape) * (share if EXPERTS.search(tensor.name) else 1)
                for tensor in self.model.tensors
                if tensor.name not in looked_up
            )
        )

    @property
    def trained_context(self) -> int:
        """Return the tokens that the model was trained to attend to."""
        return self._anatomy.trained

    @functools.lru_cache(maxsize=8)  # noqa: B019 - as many as one search asks for
    def workload(self, cache_type: CacheType, depth: int) -> Workload:
        """Return what one token makes the layers do with `depth` tokens in the context."""
        return self._workload.at(depth, cache_type, cache_type)

    @functools.cached_property
    def _workload(self) -> Workload:
        return Workload(activity(self.model), 0)

    @functools.lru_cache(maxsize=64)  # noqa: B019 - as many shapes as one search looks at
    def _cells(self, shape: Shape) -> list[int]:
        """Return the bytes of cache and recurrent state of each layer, when it is on a GPU."""
        launch = Layout((), ()).launch(shape, {})
        context = context_of(
            self._anatomy.trained,
            launch.ctx_size,
            launch.parallel,
            launch.kv_unified,
            launch.batch_size,
            launch.ubatch_size,
        )
        cache = shape.cache_type.upper()
        caches = cache_bytes(self._anatomy, context, CacheTypes(cache, cache))
        states = state_bytes(self._anatomy, context)
        return [kv.gpu + state.gpu for kv, state in zip(caches, states, strict=True)] + [0]

    @functools.lru_cache(maxsize=128)  # noqa: B019 - as many shapes as one search looks at
    def on_gpu(self, shape: Shape, with_experts: bool) -> list[int]:
        """Return the bytes that each layer puts on its GPU, with its share of the cache."""
        return [
            rest + cells + (sum(experts.values()) if with_experts else 0)
            for rest, cells, experts in zip(self._rest, self._cells(shape), self.experts, strict=True)
        ]

    def on_devices(self, shape: Shape, layout: Layout) -> list[int]:
        """Return the bytes of weights and cache on each device of a layout."""
        layers = self.on_gpu(shape, with_experts=True)
        hosted = dict(layout.experts)
        sums, start = [], layout.host_layers
        for count in layout.counts:
            own = range(start, start + count)
            away = sum(self.experts[layer][name] for layer in own for name in hosted.get(layer, ()))
            sums.append(sum(layers[start : start + count]) - away)
            start += count
        return sums

    def on_host(self, shape: Shape, layout: Layout) -> tuple[int, int]:
        """Return about the bytes of weights and of cache that a layout leaves with the host: what lies outside the layers apart."""
        cache = sum(self._cells(shape)[: layout.host_layers])
        weights = sum(self.on_gpu(shape, with_experts=True)[: layout.host_layers]) - cache
        experts = sum(
            self.experts[layer][name]
            for layer, names in layout.experts
            if layer >= layout.host_layers
            for name in names
        )
        return weights + experts, cache

    def estimate(self, launch: Launch, devices: t.Sequence[Device]) -> MemoryEstimate:
        """Return the memory of a launch on these devices."""
        gpus = [device.gpu for device in devices]
        return estimate(self.model, launch, gpus, self.engine["version"], beside=self.beside)


def wished_beside(wish: Demand) -> Beside:
    """Return what a wish has loaded with the model.

    :raises ValueError: for what is no header of a file, and for a file that is no projector or lacks a key.
    """
    if wish.mmproj is None:
        return NOTHING_BESIDE
    projector = source.model(wish.mmproj.plain())
    # Looked at here, since a choice that was left open is passed over where an estimate is refused.
    projector_of(projector)
    return Beside(projector=projector)
