# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a machine and a wish to the plan: every candidate is searched, the best is told in full, the others in a line."""

from __future__ import annotations

from ..catalog import access as catalog
from ..contract.host import InferenceHost
from ..contract.plan import Plan
from ..contract.request import FitRequest
from ..model.model import Model
from .advice import advised
from .backend import backend
from .candidate import Candidate, candidate
from .choices import choices
from .costs import Costs, wished_beside
from .kept import installed
from .machine import Machine, machine
from .ranking import Ranking, ranking
from .tell import tell
from .why import behind, short_plan, why


def fit(host: InferenceHost, wish: FitRequest, with_ladder: bool = True) -> Plan:
    """Return the plan of one host, its devices named by uuid.

    :param with_ladder: whether to tell other lengths of context too, each of which is a search of its own.
    """
    return named(choose(machine(host, wish.reserve, replaces=wish.name), wish, with_ladder), host)


def named(plan: Plan, host: InferenceHost) -> Plan:
    """Return the plan of a class of machines as that of a host, its devices named by uuid."""
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
    question = Question(place, wish)
    ranked = question.ranking()
    first = ranked.best[0]
    others = [short_plan(other.candidate, behind(first, other, wish)) for other in ranked.best[1:]]
    plan = tell(
        place, first.candidate, wish, question.engine, question.warnings, why(ranked, wish), others, with_ladder
    )
    return advised(plan, place, first, wish, question.engine, question.costs)


class Question:
    """What a wish asks of a machine, with the engine that would answer it there.

    :raises BackendError: no build of the engine runs there.
    """

    def __init__(self, place: Machine, wish: FitRequest) -> None:
        self.place = place
        self.wish = wish
        self._data = catalog.engine(wish.engine)
        self.engine, self.warnings = backend(place, self._data)
        self._choices = choices(wish)
        self._beside = wished_beside(wish)

    def costs(self, model: Model) -> Costs:
        """Return what a model costs with this engine."""
        return Costs(model, self._data, self._beside)

    def candidate(self, costs: Costs) -> Candidate:
        """Return the best that the machine can do with a model."""
        # What else could give the context has to be compared at the context that is asked for.
        return candidate(self.place, costs, self.wish, self.engine, insist=len(self._choices) > 1)

    def ranking(self) -> Ranking:
        """Return the best choices: the one that was installed, if its plan still holds, alone."""
        return self._kept() or ranking(self.place, self.wish, self._choices, self.costs, self.candidate)

    def _kept(self) -> Ranking | None:
        """Return the choice that was installed for this very wish, if its plan still holds: nothing else is looked at."""
        instance = installed(self.place, self.wish)
        if instance is None or len(self._choices) == 1:
            return None
        same = [one for one in self._choices if (one.value, one.quant) == (instance.model, instance.quant)]
        held = ranking(self.place, self.wish, same, self.costs, self.candidate) if len(same) == 1 else None
        return held if held and held.best[0].candidate.plan_id == instance.plan_id else None
