# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A launch as the chart's map of arguments, for a container that sees its own GPUs only."""

from __future__ import annotations

import functools
import re
import typing as t

from ..catalog import access as catalog
from ..contract.base import ContractError
from ..contract.helmfile_values import RESERVED_ARGS
from ..contract.plan import Plan
from . import options as option_tables
from .arguments import option_lines
from .command_line import with_options

_NUMBERED = re.compile(r"([A-Za-z]+)\d+")


def args(plan: Plan, options: t.Any = None) -> dict[str, str | bool]:
    """Return `{option without dashes: value}` as the engine's version takes it; a switch is true.

    :param options: more of llama-server's options; what the plan or the chart decides is refused.
    :raises ValueError: for an option or a value that this version does not take.
    """
    planned = plan.launch.plain() if plan.launch else {}
    if "mmproj" in planned:
        raise ContractError("plan: it has a projector, for which the chart has no place; plan without mmproj")
    launch = {key: value for key, value in planned.items() if _written(key) not in RESERVED_ARGS}
    for key in options or {}:
        if _written(str(key)) in RESERVED_ARGS:
            raise ContractError(f"options: '{key}' is decided by the chart; see model, service and auth of its values")
    lines = option_lines(with_options(_renumbered(launch), options), _options(plan.engine.version))
    return {words[0].removeprefix("--"): _value(words) for words in lines}


@functools.cache
def _options(version: str) -> option_tables.Options:
    return option_tables.from_engine(catalog.engine(version))


def _written(key: str) -> str:
    return key.replace("_", "-")


def _value(words: tuple[str, ...]) -> str | bool:
    if len(words) > 2:
        raise ContractError(f"options: '{words[0]}' takes {len(words) - 1} values, which the chart cannot give")
    return words[1] if len(words) == 2 else True


def _renumbered(launch: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the launch with its devices counted from 0: a container has the GPUs that it was given, and no others."""
    devices = launch.get("device") or []
    kinds = [_NUMBERED.fullmatch(name) for name in devices]
    names = {name: f"{kind[1]}{i}" for i, (name, kind) in enumerate(zip(devices, kinds, strict=True)) if kind}
    if not names:
        return launch
    changed = {**launch, "device": [names.get(name, name) for name in devices]}
    if launch.get("override_tensor"):
        changed["override_tensor"] = [_moved(rule, names) for rule in launch["override_tensor"]]
    return changed


def _moved(rule: str, names: dict[str, str]) -> str:
    """Return `tensors=DEVICE` with the device's new name."""
    tensors, equals, device = rule.rpartition("=")
    return f"{tensors}{equals}{names.get(device, device)}"
