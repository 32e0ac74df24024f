# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to take instead: a smaller quantisation, another type of cache, a smaller model, or a server that can be rented."""

from __future__ import annotations

import typing as t

from ..catalog import overview
from ..contract.plan import PlanEngine, ShortPlan
from ..contract.request import ContextWish, FitRequest, HardwareWish
from ..model.model import Model
from .candidate import Candidate, candidate
from .choices import choices
from .costs import Costs
from .goal import Goal, reached
from .hardware import servers
from .machine import Machine
from .preference import ENOUGH_CONTEXT
from .quants import AUTO
from .ranking import Searched, ranking
from .why import short_plan

# The type that costs the least quality of those smaller than f16.
SMALLER_CACHE = "q8_0"
MODELS_TOLD = 3
SERVERS_TOLD = 2


def alternatives(
    place: Machine,
    first: Searched,
    goal: Goal,
    wish: FitRequest,
    engine: PlanEngine,
    costs_of: t.Callable[[Model], Costs],
) -> list[ShortPlan]:
    """Return what reaches a goal that the first candidate does not, the smallest change of the wish first."""

    def search(costs: Costs) -> Candidate:
        return candidate(place, costs, wish, engine)

    def best(other: FitRequest, told: int) -> list[Searched]:
        return [
            one
            for one in ranking(place, other, choices(other), costs_of, search, told).best[:told]
            if reached(goal, one.candidate)
        ]

    value, mine = first.choice.value, first.candidate
    found = list(_other_cache(place, mine, goal, wish, engine))
    if first.choice.quant and not first.choice.open:
        smaller = best(wish.model_copy(update={"model": value, "quant": AUTO}), 1)
        found += [short_plan(one.candidate, "a smaller quantisation") for one in smaller]
    row = overview.models().get(mine.model.id)
    # A projector is made for this model alone.
    if row and row.capabilities and not first.choice.open and wish.mmproj is None:
        able = {"capabilities": sorted(row.capabilities)}
        others = best(wish.model_copy(update={"model": able, "quant": AUTO}), MODELS_TOLD)
        does = f"can do {', '.join(able['capabilities'])} too"
        found += [short_plan(one.candidate, does) for one in others if one.candidate.model.id != row.id]
    if goal == "memory":
        found += _rented(mine, value, wish)
    return found


def _other_cache(
    place: Machine, mine: Candidate, goal: Goal, wish: FitRequest, engine: PlanEngine
) -> t.Iterator[ShortPlan]:
    """Yield the plan with a cache of half the size, where that reaches the goal."""
    if SMALLER_CACHE in wish.allow.cache_types:
        return
    allow = wish.allow.model_copy(update={"cache_types": [SMALLER_CACHE]})
    try:
        other = candidate(place, mine.costs, wish.model_copy(update={"allow": allow}), engine)
    except ValueError:  # the engine refuses such a cache for this model
        return
    if reached(goal, other):
        yield short_plan(other, f"the cache in {SMALLER_CACHE}")


def _rented(mine: Candidate, value: t.Any, wish: FitRequest) -> list[ShortPlan]:
    """Return servers of the catalog that run the model as it is, from the least memory on."""
    context = wish.context.wanted or max(wish.context.minimum, min(mine.costs.trained_context, ENOUGH_CONTEXT))
    demand = HardwareWish(
        model=value,
        quant=mine.model.quant,
        context=ContextWish(wanted=context, minimum=min(wish.context.minimum, context)),
        speed=wish.speed,
        parallel=wish.parallel,
        allow=wish.allow,
        reserve=wish.reserve,
        engine=wish.engine,
    )
    return [
        ShortPlan(
            model=mine.model.id,
            quant=mine.model.quant or "file",
            placement=server.placement,
            context=min(context, mine.costs.trained_context),
            cache_type=wish.allow.cache_types[0],
            bytes=mine.costs.model_bytes,
            decode_tokens_per_second=server.speed.decode_tokens_per_second,
            why=f"on a rented {server.name}",
            server=server.server,
        )
        for server in servers(mine.costs, demand, SERVERS_TOLD)
    ]
