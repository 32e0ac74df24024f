# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's plans in a few lines, for what cannot take a plan for every host: later steps of a workflow, a notification."""

from __future__ import annotations

import typing as t

from ..contract.plan import Plan

if t.TYPE_CHECKING:
    from ..planner.fleet import Fleet


def summary(fleet: Fleet) -> list[dict[str, t.Any]]:
    """Return `[{name, model, quant, placement, fits, context, hosts}]`, in the order of the models and the first such host.

    Hosts that run the same model from the same place are counted together; `context` is the least of theirs in tokens, None
    where the model does not run.
    """
    found: dict[tuple[str, ...], dict[str, t.Any]] = {}
    for plans in fleet.hosts.values():
        for name, index in plans.items():
            line = _line(name, fleet.plans[index])
            told = found.setdefault((name, line["model"], line["quant"], line["placement"]), line)
            told["hosts"] += 1
            if line["context"] is not None:
                told["context"] = min(told["context"], line["context"])
    return list(found.values())


def _line(name: str, plan: Plan) -> dict[str, t.Any]:
    return {
        "name": name,
        "model": plan.model.id,
        "quant": plan.quant.name,
        "placement": plan.placement,
        "fits": plan.fits,
        "context": plan.memory.n_ctx_seq if plan.memory else None,
        "hosts": 0,
    }
