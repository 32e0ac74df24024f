# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What llama-fit-params is asked about a plan: its very options, as far as that program can be told them."""

from __future__ import annotations

import typing as t

from ..contract.host import InferenceHost
from ..contract.launch import Launch
from ..contract.plan import Plan
from ..render.arguments import option_lines
from ..render.backends import BACKENDS
from ..render.command_line import host_version, version_options, with_options
from ..render.service import gpus_of


def question(
    plan: Plan,
    host: InferenceHost,
    model: str,
    options: dict[str, t.Any] | None = None,
    version: str | None = None,
    help: str | None = None,
) -> dict[str, t.Any]:
    """Return `{options: [[name, value…]…], environment: {name: value}}` for llama-fit-params.

    :param options: more options of llama-server that the service has: what they add to memory shows as a difference.
    :param version: what `llama-server --version` prints on the host, `help` what `--help` does.
    :raises ValueError: in one sentence, for what that version does not take.
    """
    launch = with_options(as_counted(plan.launch or Launch()).plain(), options, model=model, fit="off")
    table = version_options(host_version(version, plan.engine.version), help)
    selection = BACKENDS[plan.engine.backend].selection(gpus_of(plan, host))
    return {
        "options": [list(words) for words in option_lines(launch, table)],
        "environment": dict(text.split("=", 1) for text in selection),
    }


def as_counted(launch: Launch) -> Launch:
    """Return a launch as llama-fit-params can be given it.

    It has no option for a cache that all slots share; of one slot the cache is the same, and what slots add is counted by
    the rules that made the plan.
    """
    unified = launch.kv_unified if launch.kv_unified is not None else launch.parallel in (None, -1)
    update: dict[str, t.Any] = {"kv_unified": None, "alias": None, "port": None}
    return launch.model_copy(update=update | ({"parallel": 1} if unified else {}))
