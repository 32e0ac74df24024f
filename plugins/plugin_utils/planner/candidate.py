# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One model of a wish on one machine: what was found for it, or was installed and stays."""

from __future__ import annotations

import dataclasses

from ..contract.launch import Launch
from ..contract.plan import Placement, PlanEngine, Speed
from ..contract.request import FitRequest
from ..model.model import Model
from .batch import with_batch
from .context import best
from .costs import Costs
from .finish import finish
from .identity import plan_id
from .kept import installed, kept
from .machine import Machine
from .rated import rated
from .search import Found, Search


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """What a plan is told from; `found` and `launch` are None where no placement works. `wanted` is in tokens."""

    model: Model
    costs: Costs
    search: Search
    plan_id: str
    found: Found | None
    launch: Launch | None
    wanted: int
    speed: Speed | None

    @property
    def placement(self) -> Placement:
        return self.found.placement if self.found else "none"

    @property
    def fits(self) -> bool:
        """Whether the model runs from memory."""
        return self.found is not None and self.found.from_memory


def candidate(place: Machine, costs: Costs, wish: FitRequest, engine: PlanEngine, insist: bool = False) -> Candidate:
    """Return the best that a machine can do with a model.

    :param insist: whether the context that is wanted is the least worth serving, if that runs from memory.
    """
    model = costs.model
    trained = costs.trained_context
    wanted = wish.context.wanted or trained
    minimum = min(wish.context.minimum, wanted)
    search = Search(place, costs, wish.allow, wish.reserve, minimum)
    instance = installed(place, wish)
    found = kept(search, instance) if instance else None
    if found and instance and plan_id(model, found.launch, engine) == instance.plan_id:
        launch: Launch | None = found.launch
    else:
        found = best(search, wish, wanted, wanted) if insist and wish.context.wanted else None
        if found is None or not found.from_memory:
            found = best(search, wish, wanted, minimum)
        if found:
            found = with_batch(search, wish, wanted, minimum, found)
        launch = finish(place, found, wish) if found else None
    return Candidate(
        model=model,
        costs=costs,
        search=search,
        plan_id=plan_id(model, launch, engine),
        found=found,
        launch=launch,
        wanted=wanted,
        speed=rated(search, found, 0) if found else None,
    )
