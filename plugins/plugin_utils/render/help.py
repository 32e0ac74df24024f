# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `llama-server --help` prints, read back.

An option begins in the first column with its names; what it takes follows the last of them, and its description stands in
a column of its own beside or below (llama.cpp, common/arg.cpp, `common_arg::to_string`).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

_REMOVED = "the argument has been removed."
_NAME = re.compile(r"-[A-Za-z0-9.-]+")


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """An option as --help describes it: its long names, the words that follow it, and the words allowed there.

    `removed` is what to use instead of an option that is listed only to say that it is gone.
    """

    long_names: tuple[str, ...]
    values: tuple[str, ...]
    choices: tuple[str, ...]
    combined: bool
    removed: str | None


def read(text: str) -> list[Described]:
    """Return the options that a help text describes, in its order; those with a short name only are left out.

    :raises ValueError: for a text that describes no option.
    """
    found: list[Described] = []
    for entry in re.split(r"\n(?=-[^-\s]|--[^-\s])", f"\n{text}")[1:]:
        # Blocks are parted by an empty line and a heading, which belong to no description
        head, _newline, below = entry.partition("\n\n\n")[0].partition("\n")
        described = _described(head, below)
        if described.long_names:
            found.append(described)
    if not found:
        raise ValueError("the help text of llama-server lists no options; is this the output of llama-server --help?")
    return found


def _described(head: str, below: str) -> Described:
    left, *beside = re.split(r"\s{2,}", re.sub(r",\s+(?=-)", ", ", head.rstrip()), maxsplit=1)
    names, hint = _names(left)
    description = " ".join([*beside, *(line.strip() for line in below.splitlines())])
    choices, combined = _choices(hint, description, below)
    return Described(
        tuple(name for name in names if name.startswith("--")),
        _values(hint),
        choices,
        combined,
        _instead(description),
    )


def _names(left: str) -> tuple[list[str], str]:
    """Return the names that a first column begins with, and the rest of it."""
    names, rest = [], left
    while found := _NAME.match(rest):
        names.append(found[0])
        rest = rest[found.end() :].lstrip(", ")
    return names, rest


def _values(hint: str) -> tuple[str, ...]:
    """Return a word for each value that an option takes: `START END` are two, `<a b>=<c>,...` is one."""
    words = hint.split()
    if not words:
        return ()
    return tuple(words) if all(re.fullmatch("[A-Z]+", word) for word in words) else ("VALUE",)


def _choices(hint: str, description: str, below: str) -> tuple[tuple[str, ...], bool]:
    """Return the words that an option takes, none where it takes any, and whether they may be combined."""
    # [on|off|auto] {none,linear,yarn} <0|1>
    bracketed = re.fullmatch(r"[\[{<]([\w+-]+(?:[|,][\w+-]+)+)[\]}>]", hint)
    if bracketed and not hint.startswith("<dev"):
        return tuple(re.split(r"[|,]", bracketed[1])), False
    if re.fullmatch(r"[a-z0-9-]+(,[a-z0-9-]+)+", hint):
        return tuple(hint.split(",")), True
    allowed = re.search(r"allowed values: ([\w, ]+?) *\(", description)
    if allowed:
        return tuple(allowed[1].split(", ")), False
    listed = re.findall(r"^\s*- ([a-z][a-z+-]*)(?: \(default\))?: ", below, re.MULTILINE)
    default = re.search(r"\(default: ([a-z]+)\)", description)
    if listed and default and default[1] not in listed:
        listed.append(default[1])
    return tuple(listed), False


def _instead(description: str) -> str | None:
    at = description.find(_REMOVED)
    if at < 0:
        return None
    return re.sub(r"\s*\(env: \w+\)", "", description[at + len(_REMOVED) :]).strip()


def version(text: str) -> tuple[str | None, int | None]:
    """Return the version and the build number out of what `llama-server --version` prints, None for what it lacks.

    Releases since August 2026 print `version: 0.7.0 (build 11669, ...)`-like text, older builds `version: 11669 (abcdef)`.
    """
    line = next((line for line in text.splitlines() if "version" in line), "")
    numbers: t.Match[str] | None = re.search(r"\b(\d+\.\d+\.\d+)\b", line)
    build = re.search(r"(?<![\d.])b?(\d{4,6})(?![\d.])", line)
    return (numbers[1] if numbers else None, int(build[1]) if build else None)
