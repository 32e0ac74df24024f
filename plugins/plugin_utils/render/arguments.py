# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A launch as the argument list of one version of llama-server."""

from __future__ import annotations

import difflib
import itertools
import typing as t

from .options import Option, OptionError, Options

Words = tuple[str, ...]

# Everybody on the machine can read the arguments of a process.
_SECRET = {"api_key": "api_key_file", "hf_token": "a file fetched beforehand"}
_SWITCH = {True: "on", False: "off"}


def arguments(launch: t.Mapping[str, t.Any], options: Options) -> list[str]:
    """Return the words that start llama-server with `launch`, without the program itself.

    :param launch: options by key (`ctx_size`); null means not given. A list is joined by commas.
    :raises OptionError: for an option that the version does not have or no longer has, and for a value it does not take.
        Values are not repeated in the text.
    """
    return list(itertools.chain.from_iterable(option_lines(launch, options)))


def option_lines(launch: t.Mapping[str, t.Any], options: Options) -> list[Words]:
    """Return the same as `arguments`, each option with its values apart, in the order in which the version lists them."""
    known = options.by_key()
    given: dict[str, tuple[str, Words]] = {}
    for key, value in launch.items():
        if value is None:
            continue
        option, on = _known(key, known, options)
        words = _words(key, value, option, on)
        name = option.names[0]
        if name in given:
            raise OptionError(f"options '{given[name][0]}' and '{key}' are the same; give one of them")
        given[name] = (key, words)
    return [words for option in options.options if (words := given.get(option.names[0], ("", ()))[1])]


def _known(key: str, known: dict[str, tuple[Option, bool]], options: Options) -> tuple[Option, bool]:
    """Return the option that a key stands for, and whether the key switches it on."""
    if key in _SECRET:
        raise OptionError(
            f"option '{key}' would show a secret to everybody who can list processes; use {_SECRET[key]} instead"
        )
    if key in known:
        return known[key]
    if key in options.removed:
        raise OptionError(f"option '{key}' is not in llama.cpp {options.version} any more; {options.removed[key]}")
    near = difflib.get_close_matches(str(key), known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise OptionError(f"option '{key}' is not known to llama.cpp {options.version}{hint}")


def _words(key: str, value: t.Any, option: Option, on: bool) -> Words:
    """Return the words of one option, none for a switch that is off where the option has no name for that."""
    if option.values == 0:
        return _switch(key, value, option, on)
    name = _name(key)
    if option.values > 1:
        if not isinstance(value, (list, tuple)) or len(value) != option.values:
            raise OptionError(f"option '{key}' takes a list of {option.values} values")
        return (name, *(_text(key, part) for part in value))
    if isinstance(value, (list, tuple)):
        parts = [_text(key, part) for part in value]
        if not parts or any("," in part or not part for part in parts):
            raise OptionError(
                f"option '{key}' is a list for llama-server, parted by commas: give at least one value, none with a comma"
            )
        text = ",".join(parts)
    else:
        text = _text(key, value, option)
    _check_choice(key, text, option)
    return (name, text)


def _switch(key: str, value: t.Any, option: Option, on: bool) -> Words:
    if not isinstance(value, bool):
        raise OptionError(f"option '{key}' is a switch; give true or false")
    if value:
        return (_name(key),)
    return (option.off_names if on else option.names)[-1:]


def _name(key: str) -> str:
    return "--" + key.replace("_", "-")


def _check_choice(key: str, text: str, option: Option) -> None:
    if option.choices is None:
        return
    for part in text.split(",") if option.combined else [text]:
        if part not in option.choices:
            raise OptionError(f"option '{key}' takes {', '.join(option.choices[:-1])} or {option.choices[-1]}")


def _text(key: str, value: t.Any, option: Option | None = None) -> str:
    """Return a value as llama-server reads it."""
    if isinstance(value, bool):
        # YAML reads a bare `on` as true
        if option is None or option.choices is None or "on" not in option.choices:
            raise OptionError(f"option '{key}' takes a value; true and false are none")
        return _SWITCH[value]
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise OptionError(f"option '{key}' takes text or a number")
    if "\0" in value:
        raise OptionError(f"option '{key}' holds a NUL character, which no argument can; remove it")
    return value
