# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts in one pass: machines that are the same to the planner share a plan."""

from __future__ import annotations

import dataclasses

from ..contract.host import InferenceHost
from ..contract.plan import Plan
from ..contract.request import ModelWish
from .fit import choose
from .machine import machine


@dataclasses.dataclass(frozen=True, slots=True)
class Fleet:
    """The different plans, and for each host the index of its plan by the model's name."""

    plans: list[Plan]
    hosts: dict[str, dict[str, int]]


def fit_all(hosts: dict[str, InferenceHost], wishes: list[ModelWish]) -> Fleet:
    """Plan every model for every host, as if it had the machine for itself.

    A plan stands for a class of machines, so it names devices by their place in the host's list and not by uuid.
    """
    plans: list[Plan] = []
    answer: dict[str, dict[str, int]] = {name: {} for name in hosts}
    for wish in wishes:
        known: dict[object, int] = {}
        for name, host in hosts.items():
            place = machine(host, wish.reserve, replaces=wish.name)
            index = known.get(place.signature)
            if index is None:
                index = known[place.signature] = len(plans)
                plans.append(choose(place, wish))
            answer[name][wish.name] = index
    return Fleet(plans, answer)
