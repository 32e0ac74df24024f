# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the site knows before a page is written: the plan of every combination, its weights by kind, its values."""

from __future__ import annotations

import functools
import typing as t

from ...catalog import access as catalog
from ...catalog.repositories import require_repository
from ...contract.plan import Plan
from ...contract.request import ModelWish
from ...memory.breakdown import Part, flash_attention, weight_parts
from ...model import source
from ...model.model import Model
from ...planner import fleet
from .. import combinations
from ..combinations import Branch, Hardware, Selection
from ..helmfile import helmfile_values, release_name


class Planned(t.NamedTuple):
    """One combination. `plan` is None where none can be made and `why` says it; so with `values` and `values_why`.

    `path` and `values_path` are where its page and its values are, from the root of the site.
    """

    model: str
    slug: str
    quant: str
    machine: Hardware
    path: str
    values_path: str
    plan: Plan | None = None
    why: str | None = None
    parts: list[Part] = []
    flash: bool = False
    values: str | None = None
    values_why: str | None = None

    def with_plan(self, plan: Plan, name: str) -> Planned:
        """Return the combination with its plan, and what follows from it.

        :param name: what its release is called.
        """
        values, why = _values(self, name, plan)
        parts: list[Part] = []
        flash = False
        model = _model(self.model, self.quant) if not plan.model.files else None
        if model and plan.launch and plan.memory:
            free = [device.free_bytes for device in plan.memory.devices]
            parts = weight_parts(model, plan.launch, free)
            flash = flash_attention(model, plan.launch, free)
        return self._replace(plan=plan, parts=parts, flash=flash, values=values, values_why=why)


def planned(selection: Selection) -> list[Planned]:
    """Return every combination of a selection, planned, by model, quant and machine."""
    work = functools.partial(_branch, selection)
    return [one for grown in combinations.in_parallel(work, combinations.branches(selection)) for one in grown]


def _branch(selection: Selection, branch: Branch) -> list[Planned]:
    """Plan one model and quant for every machine; machines that are the same to the planner share a plan."""
    known = {machine.slug: machine.host for machine in branch.machines if machine.host}
    wish = ModelWish(
        name=release_name(branch.slug, branch.quant),
        model=branch.model,
        quant=branch.quant,
        context=selection.context,
        parallel=selection.parallel,
        allow=selection.allow,
        engine=selection.engine,
    )
    every = [_unplanned(branch, machine) for machine in branch.machines]
    try:
        answer = fleet.fit_all(known, [wish])
    except ValueError as refused:
        return [one._replace(why=str(refused)) for one in every]
    return [
        one.with_plan(answer.plans[answer.hosts[one.machine.slug][wish.name]], wish.name) if one.machine.host else one
        for one in every
    ]


def _unplanned(branch: Branch, machine: Hardware) -> Planned:
    path = f"{branch.slug}/{branch.quant.lower()}/{machine.slug}"
    why = None if machine.host else machine.why or "the catalog does not know this machine well enough"
    return Planned(branch.model, branch.slug, branch.quant, machine, f"{path}.html", f"values/{path}.yaml", why=why)


def _model(name: str, quant: str) -> Model | None:
    """Return the model that the catalog makes, or None: a plan does not hold the tensors of a file."""
    try:
        return source.model(name, quant)
    except ValueError:
        return None


def _values(one: Planned, name: str, plan: Plan) -> tuple[str | None, str | None]:
    try:
        require_repository(one.model, one.quant)
        return helmfile_values(plan, name=name, host=one.machine.host, date=catalog.data_date()), None
    except ValueError as refused:
        return None, str(refused)
