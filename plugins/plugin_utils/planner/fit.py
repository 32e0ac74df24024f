# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a machine and a wish to the plan: every candidate is searched, the best is told in full, the others in a line."""

from __future__ import annotations

import typing as t

from ..catalog import access as catalog
from ..contract.host import InferenceHost
from ..contract.plan import Plan, Rung, ShortPlan
from ..contract.request import FitRequest
from ..model import source
from ..model.model import Model
from .context import best
from .costs import Costs
from .layout import Shape
from .machine import Machine, machine
from .rated import rated
from .search import RANK, Found, Search
from .tell import LADDER, Candidate, tell


def fit(host: InferenceHost, wish: FitRequest) -> Plan:
    """Return the plan of one host, its devices named by uuid."""
    plan = choose(machine(host, wish.reserve, replaces=wish.name), wish)
    if plan.memory is None:
        return plan
    devices = [
        device.model_copy(update={"uuid": gpu.uuid, "pci_bus_id": gpu.pci_bus_id})
        for device in plan.memory.devices
        for gpu in [host.gpus[device.index]]
    ]
    return plan.model_copy(update={"memory": plan.memory.model_copy(update={"devices": devices})})


def choose(place: Machine, wish: FitRequest) -> Plan:
    """Return the plan for a class of machines: devices are named by their place in the host's list."""
    candidates = [_candidate(place, model, wish) for model in _models(wish)]
    first = min(candidates, key=lambda candidate: RANK[candidate.placement])
    others = [_short(candidate) for candidate in candidates if candidate is not first]
    return tell(place, first, wish, others)


def _models(wish: FitRequest) -> list[Model]:
    """Return every model and quant that the wish names, in its order."""
    models = wish.model if isinstance(wish.model, list) else [wish.model]
    quants: list[t.Any] = wish.quant if isinstance(wish.quant, list) else [wish.quant]
    return [source.model(model, quant) for model in models for quant in quants]


def _candidate(place: Machine, model: Model, wish: FitRequest) -> Candidate:
    costs = Costs(model, catalog.engine(wish.engine))
    trained = costs.trained_context
    wanted = min(wish.context.wanted or trained, trained)
    minimum = min(wish.context.minimum, wanted)
    search = Search(place, costs, wish.allow, wish.reserve, minimum)
    found = best(search, wish, wanted, minimum)
    steps = sorted({min(tokens, trained) for tokens in (*LADDER, trained)})
    ladder = [_rung(search, tokens, search.at(_shape(wish, tokens, found))) for tokens in steps]
    return Candidate(model, costs, found, wanted, ladder, rated(search, found, 0) if found else None)


def _rung(search: Search, tokens: int, found: Found | None) -> Rung:
    if found is None:
        return Rung(context=tokens, placement="none")
    return Rung(context=tokens, placement=found.placement, speed=rated(search, found, tokens))


def _shape(wish: FitRequest, tokens: int, found: Found | None) -> Shape:
    return Shape(tokens, wish.parallel, found.shape.cache_type if found else wish.allow.cache_types[0])


def _short(candidate: Candidate) -> ShortPlan:
    found = candidate.found
    return ShortPlan(
        model=candidate.model.id,
        quant=candidate.model.quant or "file",
        placement=candidate.placement,
        context=found.shape.context if found else 0,
        cache_type=found.shape.cache_type if found else None,
        bytes=candidate.costs.model_bytes,
        decode_tokens_per_second=candidate.speed.decode_tokens_per_second if candidate.speed else None,
    )
