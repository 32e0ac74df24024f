# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real Ansible against the hosts of a lab: an inventory, ansible-playbook over ssh, and what it reported."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CommandFailed, LabError, NotReady, TimedOut
from .host import Host

if TYPE_CHECKING:
    from .laboratory import Lab

# The text of a playbook, its file, its plays as data, or the FQCN of a collection's playbook
Source = str | Path | Sequence[Mapping[str, Any]]
CALLBACKS = Path(__file__).with_name("callback_plugins")


@dataclass(frozen=True)
class TaskResult:
    """How one task ended on one host."""

    task: str
    host: str
    status: str  # ok, failed, skipped or unreachable
    changed: bool
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Play:
    """What a run of ansible-playbook did.

    stats: {host: {ok, changed, unreachable, failures, skipped, rescued, ignored}}, as its recap counts.
    """

    command: tuple[str, ...]
    exit_code: int
    output: str
    results: tuple[TaskResult, ...] = ()
    stats: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.exit_code == 0

    @property
    def changed(self) -> int:
        """Changed results of all hosts together."""
        return sum(counts["changed"] for counts in self.stats.values())

    @property
    def changed_tasks(self) -> list[str]:
        """ "host: task" of every changed result, in order."""
        return [f"{each.host}: {each.task}" for each in self.results if each.changed]

    def task(self, name: str, host: Host | str | None = None) -> Mapping[str, Any]:
        """The last result of a task whose name contains `name`, of one host when several ran it."""
        wanted = host.name if isinstance(host, Host) else host
        for each in reversed(self.results):
            if name in each.task and wanted in (None, each.host):
                return each.result
        raise LabError(f"the play ran no task named {name!r}" + (f" on {wanted}" if wanted else ""))


def pattern(hosts: Host | Sequence[Host] | None) -> str:
    """Ansible's host pattern for some hosts; None means all."""
    if hosts is None:
        return "all"
    return ",".join(host.name for host in ([hosts] if isinstance(hosts, Host) else hosts))


def write_inventory(lab: Lab, user: str) -> Path:
    """An inventory of all hosts of a lab, reached by ssh as a user's are."""
    variables = {
        "ansible_user": user,
        "ansible_ssh_private_key_file": str(lab.private_key),
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
        "-o ServerAliveInterval=5 -o ServerAliveCountMax=2",
    }
    hosts = {host.name: {"ansible_host": host.address} for host in lab.hosts.values()}
    path = lab.state / f"inventory-{user}.json"
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}, indent=2), encoding="utf-8")
    return path


def _program() -> str:
    beside = Path(sys.executable).with_name("ansible-playbook")
    found = str(beside) if beside.exists() else shutil.which("ansible-playbook")
    if found is None:
        raise NotReady("ansible-playbook is neither beside this Python nor on PATH: install ansible-core")
    return found


class RunningPlay:
    """An ansible-playbook that runs; `wait` for it, or `kill` it."""

    def __init__(self, lab: Lab, command: list[str], environment: dict[str, str], events: Path) -> None:
        self._lab = lab
        self._command = command
        self._events = events
        self._process = subprocess.Popen(
            [*lab.enter, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> Play:
        """Kill the controller (its workers too) as the out-of-memory killer would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        return self._finish(timeout=30)

    def wait(self, timeout: float = 600) -> Play:
        """Wait for its end."""
        try:
            return self._finish(timeout)
        except subprocess.TimeoutExpired:
            play = self.kill()
            raise TimedOut(f"ansible-playbook took more than {timeout:g} s:\n{play.output[-4000:]}") from None

    def _finish(self, timeout: float) -> Play:
        output, _ = self._process.communicate(timeout=timeout)
        results, stats = [], {}
        if self._events.exists():
            for line in self._events.read_text(encoding="utf-8").splitlines():
                event = json.loads(line)
                if "stats" in event:
                    stats = event["stats"]
                else:
                    results.append(TaskResult(**event))
        play = Play(
            tuple(self._command), self._process.returncode, output.decode(errors="replace"), tuple(results), stats
        )
        self._lab.plays.append(play)
        return play


def start(
    lab: Lab,
    source: Source,
    *,
    variables: Mapping[str, Any] | None = None,
    arguments: Sequence[str] = (),
    check_mode: bool = False,
    user: str = "root",
    environment: Mapping[str, str] | None = None,
) -> RunningPlay:
    """Start ansible-playbook.

    source: text of a playbook (it has a line break), a file, plays as data, or a name such as prositronic.infra.site.
    variables: extra variables, as data.
    arguments: more of ansible-playbook's arguments.
    check_mode: with --check and --diff.
    user: who logs in; "operator" has sudo without a password, for plays with become.
    """
    number = next(lab.play_numbers)
    events = lab.state / "tmp" / f"play-{number}.events"
    playbook = str(source)
    if (isinstance(source, Sequence) and not isinstance(source, str)) or (isinstance(source, str) and "\n" in source):
        file = lab.state / "tmp" / f"play-{number}.yml"
        file.write_text(source if isinstance(source, str) else json.dumps(source, indent=2), encoding="utf-8")
        playbook = str(file)
    command = [_program(), "--inventory", str(write_inventory(lab, user)), *arguments]
    if check_mode:
        command += ["--check", "--diff"]
    if variables:
        file = lab.state / "tmp" / f"play-{number}.json"
        file.write_text(json.dumps(variables), encoding="utf-8")
        command += ["--extra-vars", f"@{file}"]
    empty = lab.state / "tmp" / "ansible.cfg"  # no settings of the person who runs the tests
    empty.touch()
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(lab.state / "collections"),
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "lab_events",
        "ANSIBLE_CONFIG": str(empty),
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_HOME": str(lab.state / "tmp" / "ansible"),
        "ANSIBLE_INJECT_FACT_VARS": "false",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(lab.state / "ssh"),
        "ANSIBLE_SSH_CONTROL_PATH": "%(directory)s/%%h-%%r",
        "LAB_EVENTS": str(events),
        **(environment or {}),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return RunningPlay(lab, [*command, playbook], {**kept, **settings}, events)


def run(lab: Lab, source: Source, *, must_pass: bool = True, timeout: float = 600, **options: Any) -> Play:
    """Run ansible-playbook to its end.

    must_pass: raise CommandFailed, with the end of its output, when it failed.
    timeout: seconds after which it is killed.
    Other options are those of `start`.
    """
    play = start(lab, source, **options).wait(timeout)
    if must_pass and not play.passed:
        raise CommandFailed("ansible-playbook", play.exit_code, play.output)
    return play
