# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrays with a value for each layer, as entries of the catalog have them: `{per_layer: 15*6144 20*12288}`.

An array of 108 numbers costs YAML 1 ms and a reader his patience; runs of equal values cost neither.
"""

from __future__ import annotations

import itertools
import typing as t

_KEY = "per_layer"
_SHORT = 8  # arrays up to this length stay as they are

_WORDS = {"true": True, "false": False}


def expand(value: t.Any) -> t.Any:
    """Return the array that `{per_layer: text}` stands for; any other value as it is."""
    if not isinstance(value, dict):
        return value
    values: list[t.Any] = []
    for part in str(value[_KEY]).split():
        times, _star, number = part.rpartition("*")
        values += [_number(number)] * int(times or 1)
    return values


def shorten(value: t.Any) -> t.Any:
    """Return `{per_layer: text}` for a long array; any other value as it is."""
    if not isinstance(value, list) or len(value) <= _SHORT:
        return value
    runs = [(len(list(group)), text) for text, group in itertools.groupby(map(_text, value))]
    return {_KEY: " ".join(text if times == 1 else f"{times}*{text}" for times, text in runs)}


def _number(text: str) -> bool | int | float:
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _text(value: bool | int | float) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
