# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put an instance into service, or the one before it back: the only place where a llama-server is started or ended.

A new setting goes through three gates. A trial starts it beside the present one, on a socket, without GPUs and with a
context of a few tokens: a model that does not load, or an option that is not taken, ends here and the present one never
stops. Then it takes the place of the present one and has to become ready. Then it has to compute. Where it does not,
what last passed is put back and started.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
import typing as t

from .. import measured
from ..host_files import Files
from . import probe
from .files import InstanceFiles, Setting, read, record_text, write
from .probe import Address, NoAnswer
from .systemd import Systemd, SystemdError

_POLL_SECONDS = 0.25
_TRIAL_SECONDS = 300.0
_ANSWER_SECONDS = 300.0
_LOG_LINES = 30


class SwitchFailed(Exception):
    """The wanted setting does not serve. `log` are the last lines it printed; `restored` says what serves now."""

    def __init__(self, text: str, log: list[str], serving: bool) -> None:
        super().__init__(text)
        self.log = log
        self.serving = serving


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What shall serve. `trial` is the text of a unit like it that takes nothing from the present one.

    `models` are the names of a router's models, none for a server of one model.
    """

    setting: Setting
    trial: str | None
    trial_address: Address
    address: Address
    question: str
    key: str | None
    start_seconds: float
    record: dict[str, t.Any]
    models: t.Sequence[str] = ()


class Instance:
    """An instance of this host, by its files and by what systemd runs of it."""

    def __init__(self, files: InstanceFiles, systemd: Systemd) -> None:
        self.files = files
        self.systemd = systemd

    def is_served(self, wanted: Wanted) -> bool:
        """Say whether exactly this is installed, has passed the check, starts at boot and is ready now or soon."""
        if self.files.installed() != wanted.setting or self.files.last_good() != wanted.setting:
            return False
        unit = self.systemd.show(self.files.unit_name)
        if not (unit.enabled and unit.runs):
            return False
        problem = self._wait(self.files.unit_name, wanted.address, wanted.start_seconds, unit.restarts)
        return problem is None

    def is_recorded(self, wanted: Wanted) -> bool:
        """Say whether the record is that of the wanted setting."""
        return read(self.files.record) == record_text(wanted.record)

    def serve(self, wanted: Wanted) -> None:
        """Bring the wanted setting into service.

        :raises SwitchFailed: it does not serve; what served before does again, if there was something.
        """
        self._refuse_taken_port(wanted)
        if wanted.trial is not None:
            self._try(wanted, wanted.trial)
        before = self.files.last_good()
        self._install(wanted.setting)
        problem, log = self._start(wanted)
        if problem is None:
            self.files.commit(wanted.setting)
            self.files.write_record(wanted.record)
            self.systemd.enable(self.files.unit_name)
            return
        if before is None:
            self.remove()
            raise SwitchFailed(
                f"{problem}; nothing served under this name before, and nothing is left of it", log, False
            )
        restored = self._restore(before, wanted)
        raise SwitchFailed(f"{problem}; {restored or 'what served before serves again'}", log, restored is None)

    def remove(self) -> None:
        """End the instance and leave nothing of it."""
        for name in (self.files.trial_name, self.files.unit_name):
            self.systemd.stop(name)
            self.systemd.disable(name)
            self.systemd.clean(name)
        measured.forget(Files(), self.files.state_folder, self.files.name)
        self.files.uninstall()
        self.systemd.reload()
        self.systemd.forget_failures(self.files.unit_name)

    def _refuse_taken_port(self, wanted: Wanted) -> None:
        """Refuse a port on which something else listens, before the present instance is stopped for it."""
        installed = self.files.installed()
        # Whose process listens cannot be seen from here where it runs in a container
        own = (
            installed is not None
            and self.systemd.show(self.files.unit_name).runs
            and re.search(rf"--port {wanted.address.port}\b", installed.unit)
        )
        if not own and probe.is_taken(wanted.address):
            raise SwitchFailed(f"something else listens on {wanted.address} already; choose another port", [], False)

    def _install(self, setting: Setting) -> None:
        installed = self.files.installed()
        if installed is not None and installed.form != setting.form:
            # By which it starts at boot would outlive it
            self.systemd.disable(self.files.unit_name)
        self.files.install(setting)
        self.systemd.reload()

    def _try(self, wanted: Wanted, unit: str) -> None:
        name = self.files.trial_name
        write(self.files.trial, unit, 0o644)
        try:
            self.systemd.reload()
            self.systemd.restart(name)
            problem = self._wait(name, wanted.trial_address, _TRIAL_SECONDS)
            log = self._log(name) if problem else []
        finally:
            self.systemd.stop(name)
            self.systemd.clean(name)
            os.unlink(self.files.trial)
            self.systemd.reload()
        if problem:
            serving = self.systemd.show(self.files.unit_name).runs
            now = "; what served before was not touched" if serving else "; nothing was changed"
            raise SwitchFailed(f"a trial start of the new setting failed: {problem}{now}", log, serving)

    def _start(self, wanted: Wanted) -> tuple[str | None, list[str]]:
        """Start what is installed; return what is wrong with it, None for nothing, and its log then."""
        try:
            self.systemd.restart(self.files.unit_name)
        except SystemdError as refusal:
            return str(refusal), []
        problem = self._wait(self.files.unit_name, wanted.address, wanted.start_seconds)
        if problem is None:
            try:
                self._wait_for_models(wanted)
                models: t.Sequence[str | None] = wanted.models or [None]
                for model in models:
                    probe.answers(wanted.address, wanted.question, wanted.key, _ANSWER_SECONDS, model)
                if wanted.key is not None and not probe.asks_for_key(wanted.address):
                    problem = "the server is ready, but serves without a key"
            except NoAnswer as silent:
                problem = f"the server is ready, but {silent}"
        return problem, self._log(self.files.unit_name) if problem else []

    def _wait_for_models(self, wanted: Wanted) -> None:
        """Wait until a router has loaded its models, since it is ready before.

        :raises NoAnswer: it has not.
        """
        deadline = time.monotonic() + wanted.start_seconds
        while wanted.models and (missing := probe.loading(wanted.address, wanted.models, wanted.key)):
            if time.monotonic() >= deadline:
                raise NoAnswer(f"has not loaded {', '.join(missing)} after {wanted.start_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _restore(self, before: Setting, wanted: Wanted) -> str | None:
        """Bring back what served before; return what is wrong with it, None when systemd finds it ready."""
        self._install(before)
        self.systemd.enable(self.files.unit_name)
        self.systemd.restart(self.files.unit_name)
        # Its own unit knows where it listens: it counts as started once /health answers there
        problem = self._wait(self.files.unit_name, None, wanted.start_seconds)
        return f"what served before is back in place, but {problem}" if problem else None

    def _wait(self, name: str, address: Address | None, seconds: float, restarts: int = 0) -> str | None:
        """Wait until a unit is ready; return what is wrong with it, None for nothing.

        `restarts` are those that systemd had made before the wait.
        """
        deadline = time.monotonic() + seconds
        while True:
            unit = self.systemd.show(name)
            if unit.has_failed or unit.restarts > restarts:
                return f"the server did not start, {unit.says()}"
            if unit.active == "active" and (address is None or probe.is_ready(address)):
                return None
            if time.monotonic() >= deadline:
                return f"the server was not ready after {seconds:.0f} s"
            time.sleep(_POLL_SECONDS)

    def _log(self, name: str) -> list[str]:
        return self.systemd.log(name, self.systemd.show(name).invocation, f"--lines={_LOG_LINES}")
