# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where values cross between Ansible's types and the engine's plain ones, and errors become Ansible's.

Since ansible-core 2.19 a value in a template is a lazy, tagged container: C code that walks it (pydantic, orjson) sees
unresolved parts. Walking by the Python protocol resolves every template and lets an undefined variable raise its own error.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleError
from ansible.module_utils.basic import missing_required_lib

from ._pydantic import MINIMUM_VERSION, PYDANTIC_IMPORT_ERROR
from .contract import base as contract
from .render import age


def to_native(value: t.Any) -> t.Any:
    """Return a copy of `value` made of exact builtins, with every template in it resolved.

    :raises TypeError: for a type that is no data, naming the type, and for numbers that no count can be.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            # What counts bytes or tokens has 64 bits at most, and arithmetic with floats bears no more than 1024
            raise TypeError("a whole number of more than 64 bits is not data")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {to_native(key): to_native(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [to_native(part) for part in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    raise TypeError(f"a value of type {type(value).__name__} is not data")


def call(
    function: t.Callable[..., t.Any], arguments: Mapping[str, t.Any], door: str, error: type[AnsibleError]
) -> t.Any:
    """Call the engine from a door: arguments to plain values, refusals to Ansible's error with the door's name before it.

    :param function: takes the arguments by name; returns plain data.
    :param door: name of the plugin, to begin the error with.
    :param error: class of the error to raise.
    """
    if PYDANTIC_IMPORT_ERROR:
        raise error(f"{door}: {missing_required_lib(f'pydantic >= {MINIMUM_VERSION}')}")
    # Outside the try: an undefined variable must reach the user as Ansible's own error, with its line and column.
    plain = {name: _argument(name, value, door, error) for name, value in arguments.items()}
    try:
        return contract.call(function, plain)
    except ValueError as refused:
        # Without the cause, since Ansible puts the texts of all causes behind this sentence.
        raise error(f"{door}: {refused}") from None


def _argument(name: str, value: t.Any, door: str, error: type[AnsibleError]) -> t.Any:
    try:
        return to_native(value)
    except TypeError as refused:
        raise error(f"{door}: {name}: {refused}; give text, numbers, lists and mappings") from None
    except RecursionError:
        raise error(f"{door}: {name}: lists and mappings lie in each other too deeply; give a flatter value") from None


def inference_host(variables: Mapping[str, t.Any]) -> t.Any:
    """Return what is known of a host: its gathered facts, else its variable `inference_host`, else None."""
    facts = variables.get("ansible_facts") or {}
    return facts.get("inference_host") or variables.get("inference_host")


def inference_hosts(hostvars: t.Any, names: t.Iterable[str]) -> dict[str, t.Any]:
    """Return `inference_host` of many hosts, by name.

    Ansible copies and tags every value of a host to resolve its templates, which for thousands of hosts takes longer than
    planning for them. What has no template in it is therefore taken as it is.
    """
    return {str(name): _plain(hostvars.raw_get(name)) or inference_host(hostvars[name]) for name in names}


def _plain(variables: t.Any) -> t.Any:
    """Return what is known of a host if that is plain data without a brace in it, else None."""
    if not isinstance(variables, Mapping) or not isinstance(variables.get("ansible_facts"), Mapping):
        return None
    known = inference_host(variables)
    return known if _has_no_template(known) else None


def _has_no_template(value: t.Any) -> bool:
    if isinstance(value, str):
        return "{" not in value
    if isinstance(value, dict):
        return all(map(_has_no_template, value.values())) and all(map(_has_no_template, value))
    if isinstance(value, list):
        return all(map(_has_no_template, value))
    return value is None or isinstance(value, (bool, int, float))


def old_facts(hosts: Mapping[str, t.Any]) -> list[str]:
    """Return the warnings of a task that plans by facts of these hosts."""
    return age.told(hosts, datetime.datetime.now(datetime.UTC))
