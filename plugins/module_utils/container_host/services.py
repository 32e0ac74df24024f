# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd units of the host and of users."""

from __future__ import annotations

import os
import pwd
import typing as t

from ..bounded import Result
from ..host_files import Files
from . import programs

RESTART_SECONDS = 300.0


class Service:
    """A unit. user None: of the host; root may ask for any user's, others for their own."""

    def __init__(self, files: Files, unit: str, user: str | None = None) -> None:
        self._files = files
        self._unit = unit
        self._user = user

    def properties(self, *names: str) -> dict[str, str]:
        """Return properties as systemd tells them, empty when it does not answer."""
        said = programs.said(self._systemctl("show", self._unit, f"--property={','.join(names)}"))
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def state(self) -> str:
        """Return active, inactive, failed, or another of systemd's words; empty when there is no such unit."""
        found = self.properties("LoadState", "ActiveState")
        return found.get("ActiveState", "") if found.get("LoadState") == "loaded" else ""

    def restart(self) -> str | None:
        """Restart it; returns None, or what systemd says when it does not start."""
        self._systemctl("reset-failed", self._unit)  # a unit that failed several times would refuse to start
        result = self._systemctl("restart", self._unit, seconds=RESTART_SECONDS)
        if result is None:
            return f"it did not start within {RESTART_SECONDS:g} s"
        return None if result.status == 0 else result.text

    def _systemctl(self, *arguments: str, seconds: float = programs.SECONDS) -> Result | None:
        if self._user is None:
            return programs.ask(self._files, "systemctl", *arguments, seconds=seconds)
        number = pwd.getpwnam(self._user).pw_uid
        session = ("env", f"XDG_RUNTIME_DIR=/run/user/{number}", "systemctl", "--user", *arguments)
        if number == os.geteuid():
            return programs.ask(self._files, *session, seconds=seconds)
        return programs.ask(self._files, "runuser", "-u", self._user, "--", *session, seconds=seconds)


def is_wanted(state: t.Any) -> bool:
    """Say whether a unit in this state runs, or would if it could."""
    return state in ("active", "activating", "reloading", "failed")
