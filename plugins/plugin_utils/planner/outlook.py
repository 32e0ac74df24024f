# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How well a choice can do on a machine at the very best, told without searching it.

Both outlooks are never worse than the standing that a search finds, so that what they put behind needs no search. The
first knows figures of the catalog, the second the tensors; neither counts compute buffers.
"""

from __future__ import annotations

import math

from ..contract.request import FitRequest
from ..speed.decode import decode_seconds
from ..speed.host_rates import host_rates
from ..speed.rates import EXPECTED, device_rates
from .choices import Known
from .costs import Costs
from .layout import Shape
from .machine import Machine
from .partition import partition
from .preference import ENOUGH_CONTEXT, Standing, cramped_of, place_of, short_of
from .sketch import RANK


class Outlook:
    """What a machine can do at the very best for the choices of a wish."""

    def __init__(self, place: Machine, wish: FitRequest) -> None:
        self.place = place
        self.wish = wish
        self._room = [max(0, device.free_bytes - wish.reserve.vram_bytes_per_gpu) for device in place.devices]
        self._host = host_rates(place.host)
        rates = [device_rates(device.gpu) for device in place.devices]
        self._fastest = max(rates, key=lambda rate: rate.read[EXPECTED], default=None)

    def by_catalog(self, known: Known) -> Standing:
        """Return the outlook of a choice by its bytes at least and the context it was trained for."""
        rank = RANK["gpu"] if self._room else RANK["host"]
        if known.least_bytes > sum(self._room):
            rank = max(rank, RANK["gpu+host"])
        seconds = 0.0
        if self._fastest and known.least_active_bytes:
            seconds = known.least_active_bytes / self._fastest.read[EXPECTED]
        return self._standing(known, known.least_bytes, rank, known.trained_context, seconds)

    def by_tensors(self, known: Known, costs: Costs) -> Standing:
        """Return the outlook of a choice by the bytes of its layers and the work that a token makes."""
        wish = self.wish
        # Among several choices the context that is wanted is insisted on; without it, the standing is short of it.
        least = min(wish.context.wanted or wish.context.minimum, costs.trained_context)
        context = costs.trained_context
        rank = RANK["host"]
        if self._room:
            rank = RANK["gpu"] if self._holds(costs, least) else RANK["gpu+host"]
        if rank == RANK["gpu"] and wish.context.wanted is None:
            context = self._longest(costs, least)
        return self._standing(known, costs.model_bytes, rank, context, self._seconds(costs, least))

    def _standing(self, known: Known, least_bytes: float, rank: int, context: float, seconds: float) -> Standing:
        wish = self.wish
        unfit = 0
        if rank != RANK["gpu"]:
            if not wish.allow.host:
                unfit, rank = 2, RANK["none"]
            # What shares its memory with the host has it once.
            elif least_bytes > self.place.ram_bytes + (0 if self.place.shares_memory else sum(self._room)):
                unfit, rank = (1, RANK["disk"]) if wish.allow.disk else (2, RANK["none"])
        context = min(context, wish.context.wanted or math.inf)
        return Standing(
            unfit=unfit,
            short=short_of(wish, context, 1 / seconds if seconds else math.inf),
            place=place_of(wish, rank, context),
            low_tier=known.low_tier,
            cramped=cramped_of(wish, context),
            merit=-known.merit,
            divergence=known.divergence,
            seconds=0.0,
        )

    def _holds(self, costs: Costs, context: int) -> bool:
        """Whether the GPUs hold all layers with the smallest cache of those allowed."""
        return any(
            partition(costs.on_gpu(Shape(context, self.wish.parallel, cache_type), with_experts=True), self._room)
            is not None
            for cache_type in self.wish.allow.cache_types
        )

    def _longest(self, costs: Costs, least: int) -> int:
        """Return a context that the GPUs cannot exceed: enough, or that halved as often as they can hold."""
        longest = min(ENOUGH_CONTEXT, costs.trained_context)
        if self.wish.objective == "context" or self._holds(costs, longest):
            return costs.trained_context
        while longest > least and not self._holds(costs, longest // 2):
            longest //= 2
        return longest - 1

    def _seconds(self, costs: Costs, context: int) -> float:
        """Return the seconds of a token with all layers on the fastest GPU, or what the host reads of what GPUs cannot hold."""
        workload = costs.workload(self.wish.allow.cache_types[0], 0)
        if self._fastest is None:
            return decode_seconds(workload.work([], costs.layers), [], self._host)
        beyond = max(0, costs.model_bytes - sum(self._room))
        share = workload.work([costs.layers]).expert_share or 1.0
        from_ram = beyond * share / self._host.read[EXPECTED]
        return max(decode_seconds(workload.work([costs.layers]), [self._fastest], self._host), from_ram)
