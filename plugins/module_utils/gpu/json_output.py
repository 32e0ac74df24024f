# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON as AMD's tools print it: warnings before it, values as numbers, texts or {value, unit}."""

from __future__ import annotations

import json
import re
import typing as t

from ..bounded import Result
from .tools import excerpt

Run = t.Callable[..., Result]

# amd-smi writes MB and means MiB (192 GiB less 16 MiB of an MI300X reads 196592 MB).
_UNITS = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


class Unreadable(Exception):
    """The output is not what the tool prints when it works; the text is a predicate."""


def decode(result: Result) -> t.Any:
    """Return the JSON value in what a tool printed; :raises Unreadable: there is none."""
    text = result.output.decode("utf-8", "replace")
    start = re.search(r"^\s*[\[{]", text, re.MULTILINE)
    if start is None:
        said = excerpt(result.text) or "nothing"
        raise Unreadable(
            f"printed no JSON but: {said}" if not result.status else f"exited with {result.status}: {said}"
        )
    try:
        return json.JSONDecoder().raw_decode(text[start.start() :].lstrip())[0]
    except (ValueError, RecursionError) as error:
        raise Unreadable("printed broken JSON") from error


def at(value: t.Any, *keys: str) -> t.Any:
    """Return what lies at a path of keys; None where the path ends early, or at "N/A"."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return None if value in ("N/A", "") else value


def text_at(value: t.Any, *keys: str) -> str | None:
    """Return the text at a path of keys, None for anything else."""
    found = at(value, *keys)
    return found.strip() if isinstance(found, str) else None


def number(value: t.Any) -> int | None:
    """Return a number given as such or as text, decimal or 0x...; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    try:
        return int(value) if isinstance(value, int) else int(value, 16 if value.lower().startswith("0x") else 10)
    except ValueError:
        return None


def size(value: t.Any) -> int | None:
    """Return the bytes of `{"value": 196592, "unit": "MB"}` or `196592 MB`."""
    if isinstance(value, str):
        text, _space, unit = value.partition(" ")
        value = {"value": text, "unit": unit}
    amount, factor = number(at(value, "value")), _UNITS.get(str(at(value, "unit")).upper())
    return amount * factor if amount is not None and amount >= 0 and factor else None
