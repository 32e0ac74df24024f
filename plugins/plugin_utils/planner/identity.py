# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tells one plan from another."""

from __future__ import annotations

from ..contract.base import digest
from ..contract.launch import Launch
from ..contract.plan import PlanEngine
from ..model.model import Model


def plan_id(model: Model, launch: Launch | None, engine: PlanEngine) -> str:
    """Return 12 hex digits that stand for what runs: model, quant, engine and launch. Free memory is no part of it."""
    return digest(
        [model.id, model.quant, len(model.tensors), engine.version, engine.backend, launch and launch.plain()]
    )
