# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of a plan or of a launch: which options count, and for which version of llama-server."""

from __future__ import annotations

import typing as t

from .._pydantic import ConfigDict
from ..catalog import access as catalog
from ..contract.base import Contract, ContractError
from . import help as help_text
from . import options as option_tables
from .arguments import arguments
from .options import Options


class _Engine(Contract):
    model_config = ConfigDict(extra="ignore")

    version: str


class _Started(Contract):
    """What of a plan a command line is made of."""

    model_config = ConfigDict(extra="ignore")

    launch: dict[str, t.Any] | None = None
    engine: _Engine
    limit: str | None = None


def llama_server_args(
    plan: t.Any, engine: str | None = None, options: t.Any = None, model: str | None = None, help: str | None = None
) -> list[str]:
    """Return the words that start llama-server for a plan or a launch, without the program itself.

    :param engine: version of llama.cpp; default is that of the plan, else the newest one that the collection knows.
    :param options: more of llama-server's options, by key. What the plan decides cannot be given again.
    :param model: path of the model file.
    :param help: what `llama-server --help` printed, for a version that the collection does not know.
    :raises ValueError: in one sentence, for what that version of llama-server does not take.
    """
    launch, planned_version = launch_of(plan)
    return arguments(with_options(launch, options, model=model), version_options(engine or planned_version, help))


def launch_of(plan: t.Any) -> tuple[dict[str, t.Any], str | None]:
    """Return the launch of a plan and the version of its engine; a launch itself comes back as it is."""
    if not isinstance(plan, dict):
        raise ContractError("give a plan, or a launch such as {ctx_size: 8192}")
    if "plan_id" not in plan:
        return plan, None
    planned = _Started.read(plan, "plan")
    if not planned.launch:
        raise ContractError(f"the plan has no launch, since its model does not fit ({planned.limit})")
    return planned.launch, planned.engine.version


def with_options(launch: dict[str, t.Any], options: t.Any, **fixed: t.Any) -> dict[str, t.Any]:
    """Return a launch with more options; what `launch` or `fixed` decides cannot be given again.

    :raises ContractError: naming such an option.
    """
    more = options or {}
    if not isinstance(more, dict):
        raise ContractError("options: give a mapping of llama-server's options, such as {metrics: true}")
    decided = {key: value for key, value in {**launch, **fixed}.items() if value is not None}
    for key in more:
        if key in decided:
            raise ContractError(
                f"options: '{key}' is decided by the plan; change what the plan is asked for, not its result"
            )
    return {**more, **decided}


def version_options(version: str | None, help: str | None = None) -> Options:
    """Return the options of a version that the collection knows, or of what a program's own --help lists.

    :raises CatalogError: for a version that is not known, when there is no help text.
    """
    if version in catalog.engine_versions() or help is None:
        return option_tables.from_engine(catalog.engine(version))
    # What the newest known version calls gone explains best why an option is not listed
    newest = option_tables.from_engine(catalog.engine())
    own = option_tables.from_help(version or "of this host", help_text.read(help))
    present = own.by_key()
    return Options(
        own.version,
        own.options,
        {key: text for key, text in {**newest.removed, **own.removed}.items() if key not in present},
    )


def host_version(text: str | None, planned: str) -> str:
    """Return the version of a host's llama-server from what its --version prints; `planned` where it prints nothing.

    A build number stands for the release that the collection knows it of; one of another build is named by it.
    """
    version, build = help_text.version(text or "")
    if version is None and build is not None:
        known = {catalog.engine(name)["build"]: name for name in catalog.engine_versions()}
        version = known.get(build, f"b{build}")
    return version or planned
