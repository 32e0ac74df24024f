# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a machine and a wish to the plan: every candidate is searched, the best is told in full, the others in a line."""

from __future__ import annotations

import typing as t

from ..catalog import access as catalog
from ..contract.host import InferenceHost
from ..contract.plan import Plan
from ..contract.request import FitRequest
from ..model.model import Model
from .advice import advised
from .backend import backend
from .candidate import Candidate, candidate
from .choices import Choice, choices
from .costs import Costs
from .kept import installed
from .machine import Machine, machine
from .ranking import Ranking, ranking
from .tell import tell
from .why import behind, short_plan, why


def fit(host: InferenceHost, wish: FitRequest, with_ladder: bool = True) -> Plan:
    """Return the plan of one host, its devices named by uuid.

    :param with_ladder: whether to tell other lengths of context too, each of which is a search of its own.
    """
    plan = choose(machine(host, wish.reserve, replaces=wish.name), wish, with_ladder)
    if plan.memory is None:
        return plan
    devices = [
        device.model_copy(update={"uuid": gpu.uuid, "pci_bus_id": gpu.pci_bus_id})
        for device in plan.memory.devices
        for gpu in [host.gpus[device.index]]
    ]
    return plan.model_copy(update={"memory": plan.memory.model_copy(update={"devices": devices})})


def choose(place: Machine, wish: FitRequest, with_ladder: bool = True) -> Plan:
    """Return the plan for a class of machines: devices are named by their place in the host's list."""
    data = catalog.engine(wish.engine)
    engine, warnings = backend(place, data)

    def costs_of(model: Model) -> Costs:
        return Costs(model, data)

    open_choices = choices(wish)

    def search(costs: Costs) -> Candidate:
        # What else could give the context has to be compared at the context that is asked for.
        return candidate(place, costs, wish, engine, insist=len(open_choices) > 1)

    ranked = _kept(place, wish, open_choices, costs_of, search) or ranking(place, wish, open_choices, costs_of, search)
    first = ranked.best[0]
    others = [short_plan(other.candidate, behind(first, other, wish)) for other in ranked.best[1:]]
    plan = tell(place, first.candidate, wish, engine, warnings, why(ranked, wish), others, with_ladder)
    return advised(plan, place, first, wish, engine, costs_of)


def _kept(
    place: Machine,
    wish: FitRequest,
    open_choices: list[Choice],
    costs_of: t.Callable[[Model], Costs],
    search: t.Callable[[Costs], Candidate],
) -> Ranking | None:
    """Return the choice that was installed for this very wish, if its plan still holds: nothing else is looked at."""
    instance = installed(place, wish)
    if instance is None or len(open_choices) == 1:
        return None
    same = [one for one in open_choices if (one.value, one.quant) == (instance.model, instance.quant)]
    held = ranking(place, wish, same, costs_of, search) if len(same) == 1 else None
    return held if held and held.best[0].candidate.plan_id == instance.plan_id else None
