# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a machine and a wish to the plan: every candidate is searched, the best is told in full, the others in a line."""

from __future__ import annotations

import typing as t

from ..catalog import access as catalog
from ..contract.host import InferenceHost
from ..contract.plan import Plan, ShortPlan
from ..contract.request import FitRequest
from ..model import source
from ..model.model import Model
from .backend import backend
from .candidate import Candidate, candidate
from .costs import Costs
from .machine import Machine, machine
from .search import RANK
from .tell import tell


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
    data = catalog.engine(wish.engine)
    engine, warnings = backend(place, data)
    candidates = [candidate(place, model, wish, engine, Costs(model, data)) for model in _models(wish)]
    first = min(candidates, key=lambda one: RANK[one.placement])
    others = [_short(other) for other in candidates if other is not first]
    return tell(place, first, wish, engine, warnings, others)


def _models(wish: FitRequest) -> list[Model]:
    """Return every model and quant that the wish names, in its order."""
    models = wish.model if isinstance(wish.model, list) else [wish.model]
    quants: list[t.Any] = wish.quant if isinstance(wish.quant, list) else [wish.quant]
    return [source.model(model, quant) for model in models for quant in quants]


def _short(one: Candidate) -> ShortPlan:
    found = one.found
    return ShortPlan(
        model=one.model.id,
        quant=one.model.quant or "file",
        placement=one.placement,
        context=found.shape.context if found else 0,
        cache_type=found.shape.cache_type if found else None,
        bytes=one.costs.model_bytes,
        decode_tokens_per_second=one.speed.decode_tokens_per_second if one.speed else None,
    )
