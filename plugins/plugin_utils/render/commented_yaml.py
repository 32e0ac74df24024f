# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mappings as YAML text with comments: no text, in a value or a comment, is read as anything but itself.

Words that mean the same with and without quotes stand bare, all other text is quoted: readers of YAML 1.1 and 1.2 disagree
about `on`, `1e3`, `012` and `1_000`.
"""

from __future__ import annotations

import re
import textwrap
import typing as t

import yaml

WIDTH = 120

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_NOT_TEXT = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"))
# Whatever YAML may take for the end of a line, or not take at all
_CONTROL = re.compile(r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")


# libyaml's where PyYAML was built with it: ten times as fast, which a tree of thousands of files feels.
_Base: t.Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc]
    """Nothing is written as an alias of something equal."""

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def _text(dumper: t.Any, text: str) -> yaml.Node:
    bare = _BARE.fullmatch(text) and text.lower() not in _NOT_TEXT
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if bare else '"')


_Dumper.add_representer(str, _text)


def document(value: t.Any, depth: int = 0) -> str:
    """Return a mapping as YAML, in its own order, each line indented by `depth` spaces."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)
    return textwrap.indent(text, " " * depth)


def comment(text: str, depth: int = 0) -> str:
    """Return text as comment lines; line breaks and other control characters become spaces."""
    prefix = " " * depth + "# "
    lines = textwrap.wrap(_CONTROL.sub(" ", text), WIDTH - len(prefix), break_long_words=False, break_on_hyphens=False)
    return "".join(f"{prefix}{line}\n" for line in lines)
