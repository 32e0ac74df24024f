# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every type of the contract shares, and how a refused value is explained.

Keys that are not known are refused, since a mistyped key that is ignored costs an operator an evening. Values are never
repeated in an error: they may be secret.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import inspect
import json
import typing as t

from .._pydantic import BaseModel, ConfigDict, ValidationError, validate_call

SCHEMA_VERSION: t.Final = 1


class ContractError(ValueError):
    """A value from outside does not follow the contract; the text is one sentence for the person who wrote it."""


class Contract(BaseModel):
    """Base of all types: immutable, no unknown keys, values kept out of error texts."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
    )

    @classmethod
    def read(cls, value: t.Any, what: str) -> t.Self:
        """Return `value` (plain data) as this type; `what` names the input in the error.

        :raises ContractError: naming the first key that is wrong, and how many more there are.
        """
        if isinstance(value, cls):
            return value
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise ContractError(explain(error, what, cls)) from error

    def plain(self) -> dict[str, t.Any]:
        """Return plain data (dict, list, str, int, float, bool, None), with every key of the contract present."""
        return self.model_dump(mode="json")


def call(function: t.Callable[..., t.Any], arguments: t.Mapping[str, t.Any]) -> t.Any:
    """Return what `function` returns, once `arguments` are such as its signature and its annotations say.

    :raises ContractError: naming the first argument that is wrong, and how many more there are.
    """
    try:
        return _checking(function)(**arguments)
    except ValidationError as error:
        raise ContractError(explain(error, "arguments", function)) from None


@functools.cache
def _checking(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    return validate_call(config=ConfigDict(hide_input_in_errors=True, allow_inf_nan=False))(function)


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def explain(error: ValidationError, what: str, contract: t.Any) -> str:
    """Return one sentence for a refused value of a type or for a function: where, what is wrong, what would be right."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    # A key that nobody knows is often why another is missing
    first = next((error for error in errors if error["type"] in _UNKNOWN), errors[0])
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    if first["type"] in _UNKNOWN:
        key = str(first["loc"][-1])
        text = f"{what}: unknown key '{where.lstrip('.')}'"
        near = difflib.get_close_matches(key, _keys_at(contract, first["loc"][:-1]), n=1)
        text += f"; did you mean '{near[0]}'?" if near else ""
    elif first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        text = f"{what}: '{where.lstrip('.')}' is missing"
    else:
        message = first["msg"].removeprefix("Value error, ")
        message = "give a mapping of keys to values" if first["type"] == "model_type" else message[:1].lower() + message[1:]
        text = f"{what}{where}: {message}"
    rest = len(errors) - 1
    return text + (f" (and {rest} more)" if rest else "")


def _keys_at(contract: t.Any, path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the contract knows at `path`, to find what a mistyped key was meant to be."""
    if inspect.isroutine(contract):
        return list(inspect.signature(contract).parameters)
    for part in path:
        if isinstance(part, int):
            continue
        field = getattr(contract, "model_fields", {}).get(part)
        contract = _model_in(field.annotation) if field else None
    return [field.alias or name for name, field in getattr(contract, "model_fields", {}).items()]


def _model_in(annotation: t.Any) -> t.Any:
    """Return the contract type inside an annotation such as `list[Gpu] | None`, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in t.get_args(annotation) if (found := _model_in(part))), None)


def digest(value: t.Any) -> str:
    """Return 12 hex digits that stand for plain data: equal data, equal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
