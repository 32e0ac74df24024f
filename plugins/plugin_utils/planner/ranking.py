# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The best of many choices, with few of them searched.

What can be told of a choice without searching it (outlook.py) is never worse than what a search finds. The choice with
the best outlook is looked at more closely, again and again, until enough have been searched that stand as well as
any outlook that is left: the answer is that of searching all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import typing as t

from ..contract.base import ContractError
from ..contract.request import FitRequest
from ..model.model import Model
from .candidate import Candidate
from .choices import Choice, Known
from .costs import Costs
from .machine import Machine
from .outlook import Outlook
from .preference import Standing, standing

# Of choices that the wish left open, so many of the best are told.
TOLD = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Ranked:
    """A choice and where it stands: as found, or at the very best where it was not searched."""

    choice: Choice
    standing: Standing


@dataclasses.dataclass(frozen=True, slots=True)
class Searched(Ranked):
    """A choice that was searched, and what was found."""

    candidate: Candidate


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking:
    """The best of each group, the best first; and every choice that there was."""

    best: list[Searched]
    all: list[Ranked]


def ranking(
    place: Machine,
    wish: FitRequest,
    choices: t.Sequence[Choice],
    costs_of: t.Callable[[Model], Costs],
    search: t.Callable[[Costs], Candidate],
    told: int = TOLD,
) -> Ranking:
    """Return the best choices for a machine; those that the wish names are all told, whatever their number.

    :param search: finds the candidate that a model is on this machine.
    :raises ValueError: for a model or quant that does not exist, where the wish named it, and where nothing is left.
    """
    if len(choices) == 1:
        candidate = search(costs_of(choices[0].model()))
        only = Searched(choices[0], standing(candidate, wish), candidate)
        return Ranking([only], [only])
    return _Race(Outlook(place, wish), wish, choices, costs_of, search, told).run()


class _Race:
    """Choices in the order of their outlook, looked at more closely until the first of them are known."""

    def __init__(
        self,
        outlook: Outlook,
        wish: FitRequest,
        choices: t.Sequence[Choice],
        costs_of: t.Callable[[Model], Costs],
        search: t.Callable[[Costs], Candidate],
        told: int,
    ) -> None:
        self.outlook = outlook
        self.wish = wish
        self.costs_of = costs_of
        self.search = search
        self.enough = max(told, len({choice.group for choice in choices if not choice.open}))
        self.ranked: dict[int, Ranked] = {}
        self.known: dict[int, Known] = {}
        self.costs: dict[int, Costs] = {}
        self.best: dict[t.Hashable, Searched] = {}
        for number, choice in enumerate(choices):
            with _passing_over(choice):
                known = self.known[number] = choice.known()
                self.ranked[number] = Ranked(choice, outlook.by_catalog(known))

    def run(self) -> Ranking:
        queue = [(one.standing, number) for number, one in self.ranked.items()]
        heapq.heapify(queue)
        while queue:
            _outlook, number = heapq.heappop(queue)
            if self._is_behind(self.ranked[number]):
                continue
            with _passing_over(self.ranked[number].choice):
                if not self._closer(number):
                    heapq.heappush(queue, (self.ranked[number].standing, number))
        if not self.best:
            raise ContractError("model: none of the choices can be planned; name one model and one quant, such as Q8_0")
        best = sorted(self.best.values(), key=lambda one: one.standing)[: self.enough]
        return Ranking(best, list(self.ranked.values()))

    def _is_behind(self, one: Ranked) -> bool:
        """Whether a choice that the wish left open cannot become one of the first any more, nor the best of its group."""
        if not one.choice.open:
            return False
        own = self.best.get(one.choice.group)
        if own and own.standing <= one.standing:
            return True
        return sum(1 for other in self.best.values() if other.standing <= one.standing) >= self.enough

    def _closer(self, number: int) -> bool:
        """Look at a choice more closely; return whether it is searched now."""
        choice = self.ranked[number].choice
        if number not in self.costs:
            costs = self.costs[number] = self.costs_of(choice.model())
            outlook = self.outlook.by_tensors(self.known[number], costs)
            # Both hold, so the worse of the two does.
            self.ranked[number] = Ranked(choice, max(outlook, self.ranked[number].standing))
            return False
        candidate = self.search(self.costs.pop(number))
        one = self.ranked[number] = Searched(choice, standing(candidate, self.wish), candidate)
        own = self.best.get(choice.group)
        if own is None or one.standing < own.standing:
            self.best[choice.group] = one
        return True


@contextlib.contextmanager
def _passing_over(choice: Choice) -> t.Iterator[None]:
    """Pass over a choice that the wish left open where the model is refused: no rule for it, or no row fits the recipe."""
    try:
        yield
    except ValueError:
        if not choice.open:
            raise
