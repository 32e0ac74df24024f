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

# Options of a launch that llama-fit-params does not have
_UNKNOWN = (
    "alias",
    "port",
    "kv_unified",
    "cache_ram",
    "ctx_checkpoints",
    "mmproj",
    "no_mmproj_offload",
    "image_max_tokens",
    "model_draft",
    "spec_type",
    "spec_draft_n_max",
)


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
    the rules that made the plan. Nor does it load anything beside the model.
    """
    known = launch.model_copy(update=dict.fromkeys(_UNKNOWN))
    unified = launch.kv_unified if launch.kv_unified is not None else launch.parallel in (None, -1)
    return known.model_copy(update={"parallel": 1}) if unified else known
