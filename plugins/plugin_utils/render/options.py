# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that one version of llama-server has: a table out of the engine's data, or out of the program's own --help.

The table is text, a line per option in the order of --help: its long names, after `!` those that switch it off, then what
follows it on the command line: nothing for a switch, a word for each value, choices as `on|off|auto`, and choices that may
be combined as `none,mean`:

    --ctx-size N
    --flash-attn on|off|auto
    --kv-unified ! --no-kv-unified
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .help import Described


class OptionError(ValueError):
    """An option or its value is not what this version of llama-server takes; the text is one sentence."""


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One option. `names` and `off_names` have their dashes; `values` says how many words follow a name.

    `choices` are the words that it takes, None for any; `combined` says that several may be given, joined by commas.
    """

    names: tuple[str, ...]
    off_names: tuple[str, ...] = ()
    values: int = 0
    choices: tuple[str, ...] | None = None
    combined: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """All options of a version. `removed` says for the key of an option that is gone what to use instead."""

    version: str
    options: tuple[Option, ...]
    removed: dict[str, str]

    def by_key(self) -> dict[str, tuple[Option, bool]]:
        """Return `{key: (option, whether the key switches it on)}`, keys as in `launch`: ctx_size for --ctx-size."""
        found = {key(name): (option, True) for option in self.options for name in option.names}
        return found | {key(name): (option, False) for option in self.options for name in option.off_names}


def key(name: str) -> str:
    """Return the key that stands for a long name: `ctx_size` for `--ctx-size`."""
    return name.removeprefix("--").replace("-", "_")


def from_engine(engine: t.Mapping[str, t.Any]) -> Options:
    """Return the options that the data of an engine version lists."""
    return Options(
        engine["version"],
        tuple(_option(line) for line in engine["options"].splitlines()),
        dict(engine["removed_options"]),
    )


def from_help(version: str, described: t.Sequence[Described]) -> Options:
    """Return the options of a llama-server that said of itself which it has."""
    return Options(
        version,
        tuple(_option(line) for line in table(described).splitlines()),
        removed(described),
    )


def table(described: t.Sequence[Described]) -> str:
    """Return the text of the table for options read out of --help."""
    return "".join(f"{line}\n" for line in map(_line, described) if line)


def removed(described: t.Sequence[Described]) -> dict[str, str]:
    """Return what --help says of options that it names only to say that they are gone."""
    return {key(name): option.removed for option in described if option.removed for name in option.long_names}


def _line(option: Described) -> str | None:
    on, off = _sides(option.long_names)
    if not on or option.removed:
        return None
    words = [*on, *(("!", *off) if off else ())]
    if option.choices:
        words.append(("," if option.combined else "|").join(option.choices))
    else:
        words += option.values
    return " ".join(words)


def _sides(names: t.Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names that switch an option on and those that switch it off; one that has only --no- is a switch."""
    on = [name for name in names if not name.startswith("--no-")]
    return (on, [name for name in names if name.startswith("--no-")]) if on else (list(names), [])


def _option(line: str) -> Option:
    words = line.split()
    names = [word for word in words if word.startswith("--") or word == "!"]
    values = [word for word in words if word not in names]
    at = names.index("!") if "!" in names else len(names)
    choices = re.fullmatch(r"[^|,]+(?:(?P<or>\|[^|]+)+|(?:,[^|,]+)+)", values[0]) if len(values) == 1 else None
    return Option(
        tuple(names[:at]),
        tuple(names[at + 1 :]),
        len(values),
        tuple(re.split(r"[|,]", values[0])) if choices else None,
        bool(choices and not choices["or"]),
    )
