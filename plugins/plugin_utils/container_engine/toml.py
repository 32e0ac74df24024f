# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TOML in and out. Reading is Python's own; a writer is not among its libraries, and hosts of any age have neither."""

from __future__ import annotations

import json
import re
import tomllib
import typing as t
from collections.abc import Iterator, Mapping

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
Table = dict[str, t.Any]


def read(text: str, path: str) -> Table:
    """Return the content of a file.

    :raises ValueError: it is not TOML; a sentence with the place of the error.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not valid TOML and was left as it is: {error}") from None


def says(text: str, table: Mapping[str, t.Any]) -> bool:
    """Say whether a text is TOML that means this table."""
    try:
        return tomllib.loads(text) == table
    except tomllib.TOMLDecodeError:
        return False


def write(table: Mapping[str, t.Any]) -> str:
    """Return a table as text: values first, then a section for each table in it."""
    return "".join(f"{line}\n" for line in _section((), table))


def _section(path: tuple[str, ...], table: Mapping[str, t.Any]) -> Iterator[str]:
    values = [key for key, value in table.items() if not isinstance(value, Mapping)]
    if path and (values or not table):
        yield f"[{'.'.join(_key(part) for part in path)}]"
    for key in values:
        yield f"{_key(key)} = {_value(table[key])}"
    if values or (path and not table):
        yield ""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _section((*path, key), value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    # JSON's escapes are a part of TOML's; TOML wants DEL escaped, too
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(part) for part in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_value(part)}' for key, part in value.items())}}}"
    return str(value)  # numbers; dates and times, whose str() is RFC 3339 as TOML's
