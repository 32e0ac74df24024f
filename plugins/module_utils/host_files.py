# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel and others tell in files: read within bounds, absent and unreadable files told apart."""

from __future__ import annotations

import json
import os
import typing as t

LIMIT_BYTES = 2**20


class Files:
    """Files below `root`, which is `/` except in tests.

    Reading never raises: what is not there is None. Paths that exist but may not be read are kept in `denied`.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self.denied: list[str] = []

    def path(self, *parts: str) -> str:
        """Return the real path of a path of the host."""
        return os.path.join(self._root, os.path.join(*parts).lstrip("/"))

    def data(self, *parts: str, limit: int = LIMIT_BYTES) -> bytes | None:
        """Return the first `limit` bytes of a file."""
        try:
            # O_NONBLOCK: a named pipe in place of a file must not stop us
            handle = os.open(self.path(*parts), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._note(error, *parts)
            return None
        try:
            chunks = []
            while limit > 0:
                chunk = os.read(handle, min(limit, 2**16))
                if not chunk:
                    break
                chunks.append(chunk)
                limit -= len(chunk)
            return b"".join(chunks)
        except OSError as error:
            self._note(error, *parts)
            return None
        finally:
            os.close(handle)

    def text(self, *parts: str, limit: int = LIMIT_BYTES) -> str | None:
        """Return a file as text, without the white space (and NUL of the device tree) around it."""
        data = self.data(*parts, limit=limit)
        return None if data is None else data.decode("utf-8", "replace").strip(" \t\r\n\0")

    def integer(self, *parts: str) -> int | None:
        """Return a file that holds one number, decimal or 0x..."""
        text = self.text(*parts, limit=64) or ""
        try:
            return int(text, 0) if len(text) < 64 else None  # no number of the kernel has more than 20 digits
        except ValueError:
            return None

    def table(self, *parts: str) -> dict[str, str]:
        """Return a file of lines `key: value` or `key value`, the first of equal keys winning."""
        table: dict[str, str] = {}
        for line in (self.text(*parts) or "").splitlines():
            key, colon, value = line.partition(":")
            if not colon:
                key, _space, value = line.partition(" ")
            table.setdefault(key.strip(), value.strip())
        return table

    def names(self, *parts: str) -> list[str]:
        """Return what a directory holds, sorted; empty when there is no such directory."""
        try:
            return sorted(os.listdir(self.path(*parts)))
        except OSError as error:
            self._note(error, *parts)
            return []

    def link(self, *parts: str) -> str | None:
        """Return the last name of what a symbolic link points to."""
        try:
            return os.path.basename(os.readlink(self.path(*parts)))
        except OSError:
            return None

    def exists(self, *parts: str) -> bool:
        """Say whether a path is there."""
        return os.path.exists(self.path(*parts))

    def json_object(self, *parts: str) -> dict[str, t.Any] | None:
        """Return a file that holds a JSON object, None when it is not there.

        :raises ValueError: a predicate for the problem list, such as "is not JSON (line 1)".
        """
        data = self.data(*parts, limit=LIMIT_BYTES + 1)
        if data is None:
            return None
        if len(data) > LIMIT_BYTES:
            raise ValueError(f"is larger than {LIMIT_BYTES} bytes")
        try:
            value = json.loads(data)
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON (line {error.lineno})") from error
        except (ValueError, RecursionError) as error:
            raise ValueError("is not JSON") from error
        if not isinstance(value, dict):
            raise ValueError("is not a JSON object")
        return value

    def _note(self, error: OSError, *parts: str) -> None:
        path = os.path.join("/", *parts)
        if isinstance(error, PermissionError) and path not in self.denied:
            self.denied.append(path)


def integer_set(text: str | None) -> list[int]:
    """Return the numbers of a kernel list such as `0-3,8`, sorted; what is not such a list is empty."""
    numbers: set[int] = set()
    for part in (text or "").split(","):
        first, _dash, last = part.strip().partition("-")
        try:
            low, high = int(first), int(last or first)
        except ValueError:
            continue
        numbers.update(range(low, min(high, low + 65536) + 1))
    return sorted(numbers)
