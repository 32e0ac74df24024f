# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The least hardware for a model: N GPUs of a kind that hold all of it, or fewer with experts or layers in RAM.

Least is the least GPU memory by its nominal size, then the fewest GPUs. A number of GPUs that cannot hold the layers even
without buffers bounds each kind from below, so that kinds which cannot be among the first are not searched.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..catalog import access as catalog
from ..catalog import hosts
from ..contract.hardware import Hardware, HardwareOption, ServerOption
from ..contract.host import InferenceHost
from ..contract.request import HardwareWish
from ..model import source
from ..units import gib
from .costs import Costs, wished_beside
from .layout import Shape
from .machine import Machine, machine
from .partition import partition
from .rated import rated
from .search import Found, Search

GIB = 1 << 30
# So many of each sort are told where the wish names no GPUs.
TOLD = 6
# RAM that machines are sold with, in GiB; looked for where experts stay with the host.
RAM_SIZES = (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)


def smallest_hardware(wish: HardwareWish) -> Hardware:
    """Return the least hardware of the catalog for a wish.

    :raises ValueError: for a model, quant or GPU that the catalog does not have.
    """
    data = catalog.engine(wish.engine)
    costs = Costs(source.model(wish.model, wish.quant), data, wished_beside(wish))
    context = min(wish.context.wanted or costs.trained_context, costs.trained_context)
    shape = Shape(context, wish.parallel, wish.allow.cache_types[0])
    sizing = _Sizing(costs, wish, shape)
    kinds = [_Kind.of(name, sizing) for name in wish.gpus or catalog.names("gpu")]
    told = len(kinds) if wish.gpus else TOLD
    whole = _least(kinds, lambda kind: kind.least_memory, sizing.whole, told, wish.max_gpus)
    shared = (
        _least(kinds, lambda kind: kind.memory_bytes, sizing.shared, told, wish.max_gpus) if wish.allow.host else []
    )
    more = wish.context.wanted or 0
    return Hardware(
        model=costs.model.id,
        quant=costs.model.quant or "file",
        bytes=costs.model_bytes,
        context=context,
        parallel=wish.parallel,
        cache_type=shape.cache_type,
        reserve_bytes_per_gpu=wish.reserve.vram_bytes_per_gpu,
        options=[*whole, *shared],
        servers=sizing.servers(None if wish.gpus is None else {kind.id for kind in kinds}, TOLD),
        warnings=[
            *costs.model.warnings,
            *(
                [f"the wanted context of {more:,} tokens is cut to the trained {costs.trained_context:,}"]
                if more > costs.trained_context
                else []
            ),
        ],
    )


def servers(costs: Costs, wish: HardwareWish, told: int) -> list[ServerOption]:
    """Return the servers with the least memory that run a model from memory and fast enough, so many of them."""
    context = min(wish.context.wanted or costs.trained_context, costs.trained_context)
    return _Sizing(costs, wish, Shape(context, wish.parallel, wish.allow.cache_types[0])).servers(None, told)


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """A GPU of the catalog. `least` is a number below which its memory cannot do, `limit` how many a machine can have."""

    id: str
    memory_bytes: int
    free_bytes: int
    unified: bool
    least: int
    limit: int

    @property
    def least_memory(self) -> int:
        return self.memory_bytes * self.least

    @classmethod
    def of(cls, name: str, sizing: _Sizing) -> _Kind:
        entry = catalog.gpu(name)
        free = machine(_host(entry["id"], 1, 1 << 50), sizing.wish.reserve).devices[0].free_bytes
        unified = entry["unified_memory"]
        limit = 1 if unified else sizing.wish.max_gpus
        room = max(0, free - sizing.wish.reserve.vram_bytes_per_gpu)
        least = next((n for n in range(1, limit + 1) if partition(sizing.layers, [room] * n) is not None), limit + 1)
        return cls(entry["id"], entry["memory"]["nominal_bytes"], free, unified, least, limit)


def _host(gpu: str, count: int, ram_bytes: int) -> InferenceHost:
    return InferenceHost.read(
        {"gpus": [hosts.gpu(gpu, index) for index in range(count)], "memory": {"total_bytes": ram_bytes}}, "host"
    )


def _least(
    kinds: list[_Kind],
    bound: t.Callable[[_Kind], int],
    option: t.Callable[[_Kind], HardwareOption | None],
    told: int,
    most: int,
) -> list[HardwareOption]:
    """Return the options of the least memory; kinds are tried in the order of a memory that they cannot do with less of."""
    found: list[HardwareOption] = []
    for kind in sorted(kinds, key=lambda kind: (bound(kind), kind.least, kind.id)):
        if sum(1 for one in found if one.gpu_memory_bytes <= bound(kind)) >= told:
            break
        one = option(kind)
        if one and one.count <= most:
            found.append(one)
    return sorted(found, key=lambda one: (one.gpu_memory_bytes, one.count, one.gpu))[:told]


class _Sizing:
    """One model in one shape, tried on hardware."""

    def __init__(self, costs: Costs, wish: HardwareWish, shape: Shape) -> None:
        self.costs = costs
        self.wish = wish
        self.shape = shape
        self.layers = costs.on_gpu(shape, with_experts=True)
        self.depth = min(wish.context.minimum, shape.context)

    def whole(self, kind: _Kind) -> HardwareOption | None:
        """Return the fewest of a kind that hold every layer, or None."""
        if kind.least > kind.limit:
            return None
        ram = kind.memory_bytes if kind.unified else 1 << 50
        place = machine(_host(kind.id, kind.limit, ram), self.wish.reserve)
        found = self._search(place).on_gpus(self.shape)
        return self._option(kind, found, place, self._why_whole(kind, found)) if found else None

    def shared(self, kind: _Kind) -> HardwareOption | None:
        """Return the fewest of a kind, and the least RAM, that together are fast enough; None if those hold every layer."""
        if kind.unified:
            return None
        for count in range(1, min(kind.limit + 1, kind.least)):
            found = self._search(machine(_host(kind.id, count, RAM_SIZES[-1] * GIB), self.wish.reserve)).at(self.shape)
            if found is None or found.placement != "gpu+host":
                continue
            ram = self._ram(found)
            place = machine(_host(kind.id, count, ram), self.wish.reserve)
            if one := self._option(kind, found, place, self._why_shared(found, ram)):
                return one
        return None

    def servers(self, gpus: set[str] | None, told: int) -> list[ServerOption]:
        """Return servers of the catalog that run the model from memory and fast enough, those with the least memory first."""
        entries = [catalog.server(name) for name in catalog.names("server")]
        sized = [
            (catalog.gpu(entry["gpu"])["memory"]["nominal_bytes"] * entry["gpu_count"], entry)
            for entry in entries
            if gpus is None or entry["gpu"] in gpus
        ]
        known: dict[tuple[t.Any, ...], tuple[Machine, Found] | None] = {}
        options: list[ServerOption] = []
        for memory, entry in sorted(sized, key=lambda pair: (pair[0], pair[1]["memory_bytes"] or 0, pair[1]["id"])):
            if len(options) >= told:
                break
            if memory + (entry["memory_bytes"] or 0) < self.costs.model_bytes:
                continue
            key = (entry["gpu"], entry["gpu_count"], entry["memory_bytes"], tuple(entry["cpu"].values()))
            if key not in known:
                known[key] = self._on_server(entry)
            if answer := known[key]:
                place, found = answer
                options.append(
                    ServerOption(
                        server=entry["id"],
                        name=entry["name"],
                        provider=entry["provider"],
                        gpu=entry["gpu"],
                        count=entry["gpu_count"],
                        memory_bytes=entry["memory_bytes"],
                        placement=found.placement,
                        speed=rated(self._search(place), found, 0),
                        price=_price(entry),
                    )
                )
        return options

    def _on_server(self, entry: dict[str, t.Any]) -> tuple[Machine, Found] | None:
        if entry["memory_bytes"] is None:
            # Where its RAM is not known, its GPUs have to do.
            host = _host(entry["gpu"], entry["gpu_count"], 64 * GIB)
        else:
            host = InferenceHost.read(hosts.server(entry["id"]), entry["id"])
        place = machine(host, self.wish.reserve)
        search = self._search(place)
        may_share = self.wish.allow.host and entry["memory_bytes"] is not None
        found = search.at(self.shape) if may_share else search.on_gpus(self.shape)
        return (place, found) if found and self._fast(place, found) else None

    def _search(self, place: Machine) -> Search:
        allow = self.wish.allow.model_copy(update={"disk": False})
        return Search(place, self.costs, allow, self.wish.reserve, self.depth)

    def _fast(self, place: Machine, found: Found) -> bool:
        minimum = self.wish.speed.minimum
        if minimum is None:
            return True
        return rated(self._search(place), found, self.depth).decode_tokens_per_second.expected >= minimum

    def _ram(self, found: Found) -> int:
        """Return the RAM that a machine is sold with and that holds what stays with the host, in bytes."""
        held = found.ram_bytes_at_most
        sizes = [size * GIB for size in RAM_SIZES]
        return next((size for size in sizes if held + self.wish.reserve.ram(size) <= size), sizes[-1])

    def _option(self, kind: _Kind, found: Found, place: Machine, why: str) -> HardwareOption | None:
        if not self._fast(place, found):
            return None
        uses = found.memory.devices
        count = len(found.layout.devices)
        return HardwareOption(
            gpu=kind.id,
            count=count,
            placement=found.placement,
            gpu_memory_bytes=kind.memory_bytes * count,
            used_bytes=sum(use.total_bytes for use in uses),
            headroom_bytes=min(kind.free_bytes - use.total_bytes for use in uses),
            minimum_ram_bytes=self._ram(found),
            tensor_split=found.launch.tensor_split,
            n_cpu_moe=found.launch.n_cpu_moe,
            override_tensor=found.launch.override_tensor,
            n_gpu_layers=found.launch.n_gpu_layers if isinstance(found.launch.n_gpu_layers, int) else None,
            speed=rated(self._search(place), found, 0),
            why=why,
        )

    def _why_whole(self, kind: _Kind, found: Found | None) -> str:
        count = len(found.layout.devices) if found else 0
        needed = sum(self.layers)
        reserve = gib(self.wish.reserve.vram_bytes_per_gpu)
        held = f"weights and cache take {gib(needed)} GiB in GPU memory, {reserve} GiB of each GPU stay free"
        if count < 2:
            return held
        room = (count - 1) * max(0, kind.free_bytes - self.wish.reserve.vram_bytes_per_gpu)
        if needed > room:
            return f"{held}; {count - 1} have {gib(room)} GiB"
        return (
            f"{held}; {count - 1} have {gib(room)} GiB, but with their compute buffers no split of whole layers"
            f" of up to {gib(max(self.layers))} GiB fits"
        )

    def _why_shared(self, found: Found, ram_bytes: int) -> str:
        layout = found.layout
        if layout.host_layers:
            what = f"{layout.host_layers} of {self.costs.layers - 1} layers"
            what += " and the experts of the others" if layout.experts else ""
        else:
            what = f"experts of {len(layout.experts)} of {len(self.costs.whole_experts)} layers"
        return f"{gib(ram_bytes, 0)} GiB of RAM hold {what}, {gib(found.memory.host.total_bytes)} GiB"


def _price(entry: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Return the newest price that is known of a server, without what its source does not say."""
    prices = entry["prices"]
    return {key: value for key, value in prices[-1].items() if value is not None} if prices else None
