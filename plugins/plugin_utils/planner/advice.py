# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about a plan that could be better: change the machine, take something else, or have others serve it."""

from __future__ import annotations

import typing as t

from ..catalog import overview
from ..contract.plan import HostedApi, Plan, PlanEngine
from ..contract.request import FitRequest
from ..model.model import Model
from .alternatives import alternatives
from .candidate import Candidate
from .costs import Costs
from .goal import goal_of
from .machine import Machine
from .ranking import Searched
from .upgrades import upgrades


def advised(
    plan: Plan,
    place: Machine,
    first: Searched,
    wish: FitRequest,
    engine: PlanEngine,
    costs_of: t.Callable[[Model], Costs],
) -> Plan:
    """Return the plan with advice, where the wish wants it and there is something to gain.

    :param first: what the plan was told from.
    """
    candidate = first.candidate
    if wish.advice == "never" or (wish.advice == "unfit" and candidate.fits):
        return plan
    goal = goal_of(candidate)
    if goal is None:
        return plan
    return plan.model_copy(
        update={
            "alternatives": [*plan.alternatives, *alternatives(place, first, goal, wish, engine, costs_of)],
            "upgrades": upgrades(place, candidate, goal, wish, engine),
            "hosted": [] if candidate.fits else _hosted(candidate),
        }
    )


def _hosted(candidate: Candidate) -> list[HostedApi]:
    """Return the model's own vendor first, then those who serve models of many."""
    row = overview.models().get(candidate.model.id)
    known = overview.hosted()
    own = [api for api in known["apis"] if row and row.vendor in api["vendors"]]
    many = [api for api in known["apis"] if not api["vendors"]]
    return [HostedApi(name=api["name"], url=api["url"], seen=known["seen"]) for api in [*own, *many]]
