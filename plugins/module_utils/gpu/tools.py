# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Vendor tools: where they are, and the time all of them together may take."""

from __future__ import annotations

import os
import shutil
import time

from ..bounded import Broken, Result, run

# Besides PATH, which a login-less shell often cuts short.
_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/rocm/bin", "/usr/lib/wsl/lib", "/run/current-system/sw/bin")


class Tools:
    """Runs tools until `seconds` have passed since the first question."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline: float | None = None

    def find(self, name: str) -> str | None:
        """Return the path of a tool, None when the host has none."""
        path = os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS))
        return shutil.which(name, path=path)

    def left(self) -> float:
        """Return the seconds left; :raises Broken: none."""
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._seconds
        if now >= self._deadline:
            raise Broken(f"was not asked: the {self._seconds:.3g} s for GPU tools were over (option timeout)")
        return self._deadline - now

    def run(self, path: str, *arguments: str) -> Result:
        """Return what a tool answers; :raises Broken: see bounded.run."""
        return run((path, *arguments), self.left())


def excerpt(text: str, limit: int = 200) -> str:
    """Return the beginning of what a tool said, printable and on one line."""
    plain = "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
    return plain if len(plain) <= limit else plain[:limit] + "..."
