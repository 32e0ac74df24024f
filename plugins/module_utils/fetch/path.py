# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a path leads to: on another disk, on a network's, or brought by whoever."""

from __future__ import annotations

import os
import re
import shutil
import typing as t

from .parts import FetchError, Part

_CHUNK_BYTES = 8 << 20
_SPLIT = re.compile(r"(.*-)(\d{5})-of-(\d{5})(\.gguf)")


class PathSource:
    """`method`: `link` uses the files where they are, `copy` copies them, `move` takes them away from there."""

    def __init__(self, path: str, method: t.Literal["link", "copy", "move"], sha256: dict[str, str]) -> None:
        self._folder = os.path.dirname(path)
        self._names = all_parts(os.path.basename(path))
        self._method = method
        self._sha256 = sha256

    def parts(self) -> list[Part]:
        found = []
        for name in self._names:
            path = os.path.join(self._folder, name)
            try:
                found.append(Part(name, os.stat(path).st_size, (self._sha256.get(name) or "").lower() or None))
            except OSError as problem:
                raise FetchError(f"{path} cannot be read: {problem.strerror}") from problem
        return found

    def fetch(self, part: Part, target: str) -> None:
        source = os.path.join(self._folder, part.path)
        if self._method == "link":
            if not os.path.islink(target):
                os.symlink(os.path.realpath(source), target)
        elif self._method == "move":
            if os.path.exists(source):
                shutil.move(source, target)
        else:
            _copy_on(source, target)


def all_parts(name: str) -> list[str]:
    """Return the names of all files of a split model (`NAME-00001-of-00003.gguf`), or the one name itself."""
    split = _SPLIT.fullmatch(name)
    if split is None:
        return [name]
    return [f"{split[1]}{number:05}-of-{split[3]}{split[4]}" for number in range(1, int(split[3]) + 1)]


def _copy_on(source: str, target: str) -> None:
    """Copy what is missing of a file; a check of the whole follows."""
    with open(source, "rb") as reading, open(target, "ab") as writing:
        reading.seek(writing.tell())
        while True:
            chunk = reading.read(_CHUNK_BYTES)
            if not chunk:
                return
            writing.write(chunk)
