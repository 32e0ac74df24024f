# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the switch of an instance asks of systemd."""

from __future__ import annotations

import os
import shutil
import time
import typing as t

from .. import bounded

_SECONDS = 90.0


class SystemdError(Exception):
    """systemd refused, or is not there; the text is one sentence."""


class Unit(t.NamedTuple):
    """A unit as systemd knows it now. `restarts` counts those that systemd made by itself since the last start.

    `enabled` is whether it starts at boot; one that a generator makes does, and cannot be enabled or disabled.
    """

    load: str
    active: str
    sub: str
    result: str
    enabled: bool
    generated: bool
    restarts: int
    main_pid: int
    invocation: str

    @property
    def runs(self) -> bool:
        """Whether its program runs, be it ready or not."""
        return self.active in ("active", "activating", "reloading") and self.main_pid > 0

    @property
    def has_failed(self) -> bool:
        """Whether its program has ended by itself, even where systemd will try again."""
        failed = self.result not in ("", "success")
        return self.active == "failed" or self.sub == "auto-restart" or (self.active == "inactive" and failed)

    def says(self) -> str:
        """How it ended, in words."""
        return {
            "exit-code": "it ended with an error",
            "signal": "it was killed by a signal",
            "core-dump": "it crashed",
            "oom-kill": "the kernel killed it for lack of memory",
            "timeout": "it was not ready in time",
            "resources": "systemd could not start it",
        }.get(self.result, "it ended")


class Systemd:
    """The system manager of this host."""

    def __init__(self) -> None:
        found = {name: shutil.which(name) for name in ("systemctl", "journalctl")}
        if not found["systemctl"] or not os.path.isdir("/run/systemd/system"):
            raise SystemdError("this host was not booted with systemd, which runs the instances")
        self._systemctl = found["systemctl"]
        self._journalctl = found["journalctl"]

    def show(self, unit: str) -> Unit:
        """Return the state of a unit; one that does not exist is `not-found` and inactive."""
        names = (
            "LoadState",
            "ActiveState",
            "SubState",
            "Result",
            "UnitFileState",
            "NRestarts",
            "MainPID",
            "InvocationID",
        )
        values = self._properties(unit, names)
        return Unit(
            values["LoadState"],
            values["ActiveState"],
            values["SubState"],
            values["Result"],
            values["UnitFileState"] in ("enabled", "generated"),
            values["UnitFileState"] == "generated",
            int(values["NRestarts"] or 0),
            int(values["MainPID"] or 0),
            values["InvocationID"],
        )

    def start_times(self, unit: str) -> tuple[float, float] | None:
        """Return when the program of a unit was started and when it was ready, in seconds since the epoch; None before that."""
        names = ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
        started, ready = (int(value or 0) / 1e6 for value in self._properties(unit, names).values())
        if not 0 < started <= ready:
            return None
        booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        return booted + started, booted + ready

    def reload(self) -> None:
        """Read the unit files again."""
        self._run("daemon-reload")

    def restart(self, unit: str) -> None:
        """Ask for a fresh start and return at once; its former failures are forgotten."""
        self.forget_failures(unit)
        self._run("--no-block", "restart", "--", unit)

    def stop(self, unit: str) -> None:
        """Stop a unit and wait until its processes are gone; one that does not exist is stopped already."""
        if self.show(unit).load != "not-found":
            self._run("stop", "--", unit, seconds=900.0)
            self.forget_failures(unit)

    def enable(self, unit: str) -> None:
        """Start a unit at boot."""
        if not self.show(unit).generated:
            self._run("enable", "--quiet", "--", unit)

    def disable(self, unit: str) -> None:
        """Do not start a unit at boot; one that is not enabled is left as it is."""
        shown = self.show(unit)
        if shown.enabled and not shown.generated:
            self._run("disable", "--quiet", "--", unit)

    def clean(self, unit: str) -> None:
        """Remove what systemd keeps on disk for a stopped unit: cache, state and its dynamic user's folders."""
        if self.show(unit).load == "loaded":
            self._run("clean", "--what=all", "--", unit)

    def forget_failures(self, unit: str) -> None:
        """Let a unit that has failed look as if it had never been started."""
        bounded.run([self._systemctl, "reset-failed", "--", unit], _SECONDS)

    def log(self, unit: str, invocation: str, *options: str) -> list[str]:
        """Return lines of the journal of one run of a unit, oldest first; `options` of journalctl say which."""
        if self._journalctl is None or not invocation:
            return []
        argv = [self._journalctl, "--no-pager", "--quiet", "--output=cat", *options]
        # What the program printed, and what systemd said of it
        argv += [f"_SYSTEMD_INVOCATION_ID={invocation}", "+", f"INVOCATION_ID={invocation}"]
        try:
            text = bounded.run(argv, _SECONDS).output.decode("utf-8", "replace")
        except bounded.Broken as problem:
            return [f"(the journal of {unit} could not be read: journalctl {problem})"]
        return [line.rstrip() for line in text.splitlines() if line.strip()]

    def _properties(self, unit: str, names: t.Sequence[str]) -> dict[str, str]:
        """Return properties of a unit by name, in the order asked for; empty text for one that it does not have."""
        text = self._run("show", "--property", ",".join(names), "--", unit)
        values = dict(line.partition("=")[::2] for line in text.splitlines())
        return {name: values.get(name, "") for name in names}

    def _run(self, *arguments: str, seconds: float = _SECONDS) -> str:
        try:
            result = bounded.run([self._systemctl, *arguments], seconds)
        except bounded.Broken as problem:
            raise SystemdError(f"systemctl {arguments[0]} {problem}") from problem
        if result.status:
            raise SystemdError(f"systemctl {' '.join(arguments)} failed: {result.text}")
        return result.output.decode("utf-8", "replace")
