# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text as systemd reads it in a unit: nothing that a value holds can end its word, its line, or stand for something else.

systemd.syntax(7): words in double quotes with C escapes; systemd.unit(5): % begins a specifier, everywhere; systemd.service(5):
$ begins a variable, in commands only.
"""

from __future__ import annotations

import re
import typing as t

# Words that mean themselves, quoted or not
_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+-]+")
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t", "%": "%%"}


def word(text: str, command: bool = False) -> str:
    """Return `text` as one word of a setting; `command`: of one that runs something, such as ExecStart=."""
    if _PLAIN.fullmatch(text):
        return text
    escapes = {**_ESCAPES, "$": "$$"} if command else _ESCAPES
    return '"' + "".join(_escaped(character, escapes) for character in text) + '"'


def words(texts: t.Iterable[str], command: bool = False) -> str:
    """Return several words in a line."""
    return " ".join(word(text, command) for text in texts)


def text(value: str) -> str:
    """Return a text of several lines as SetCredential= holds it, which knows escapes and no quotes, specifiers or variables."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def _escaped(character: str, escapes: dict[str, str]) -> str:
    if character in escapes:
        return escapes[character]
    if character < " " or character == "\x7f":
        return f"\\x{ord(character):02x}"
    return character
