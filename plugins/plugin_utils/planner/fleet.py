# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts in one pass: machines that are the same to the planner share a plan."""

from __future__ import annotations

import dataclasses

from ..contract.base import ContractError
from ..contract.host import InferenceHost
from ..contract.plan import Plan
from ..contract.request import ModelWish
from .backend import BackendError
from .fit import choose
from .machine import machine
from .sharing import share_out


@dataclasses.dataclass(frozen=True, slots=True)
class Fleet:
    """The different plans, and for each host the index of its plan by the model's name; and why a host has none."""

    plans: list[Plan]
    hosts: dict[str, dict[str, int]]
    refused: dict[str, str]


def fit_all(hosts: dict[str, InferenceHost], wishes: list[ModelWish], share: bool = False) -> Fleet:
    """Plan every model for every host.

    A plan stands for a class of machines, so it names devices by their place in the host's list and not by uuid.

    :param share: whether they shall run at once; else each is planned as if it had the machine for itself.
    """
    answer = Fleet([], {name: {} for name in hosts}, {})
    for asked in [wishes] if share else [[wish] for wish in wishes]:
        known: dict[object, list[int] | str] = {}
        for name, host in hosts.items():
            signature = _signature(host, asked)
            found = known.get(signature)
            if found is None:
                found = known[signature] = _planned(host, asked, share, answer.plans)
            if isinstance(found, str):
                answer.refused[name] = found
            else:
                answer.hosts[name].update(zip((wish.name for wish in asked), found, strict=True))
    return answer


def _signature(host: InferenceHost, asked: list[ModelWish]) -> object:
    """Return what the plans of a host depend on."""
    names = [wish.name for wish in asked]
    reserves = dict.fromkeys(wish.reserve for wish in asked)
    return tuple(machine(host, reserve, replaces=names).signature for reserve in reserves)


def _planned(host: InferenceHost, asked: list[ModelWish], share: bool, plans: list[Plan]) -> list[int] | str:
    """Add the plans of a host; return their indexes, or why no build of the engine runs there."""
    try:
        if share:
            found = share_out(host, asked)
        else:
            found = [_chosen(host, wish) for wish in asked]
    except BackendError as refused:
        return str(refused)
    plans += found
    return list(range(len(plans) - len(found), len(plans)))


def _chosen(host: InferenceHost, wish: ModelWish) -> Plan:
    """Return the plan of one model; what is wrong with a wish is said with its name, which its model and quant may not tell."""
    try:
        return choose(machine(host, wish.reserve, replaces=wish.name), wish)
    except BackendError:
        raise
    except ValueError as error:
        raise ContractError(f"{wish.name}: {error}") from error
