# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab: some hosts on a network of their own, the services that tests asked for, and Ansible pointed at them."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import leftovers, namespaces, needs, plays
from .errors import LabError, NotReady
from .host import Host, Machine
from .keeper import GATEWAY
from .paths import CHECKOUT, cache_dir, state_dir
from .services.apt_repository import AptRepository
from .services.file_server import FileServer
from .services.model_hub import ModelHub
from .services.package_cache import PackageCache
from .services.rpm_repository import RpmRepository

ADDRESS = GATEWAY


class Lab:
    """Use as a context manager; leaving it takes everything down, and so does the death of this process."""

    def __init__(self) -> None:
        needs.require()
        self.name = secrets.token_hex(3)
        self.state = state_dir() / self.name
        self.hosts: dict[str, Host] = {}
        self.plays: list[plays.Play] = []
        self.play_numbers = itertools.count(1)
        self.first = 0
        self.namespaces: dict[str, str] = {}
        self._booted = 0
        self._keeper: subprocess.Popen[bytes] | None = None
        self._services = contextlib.ExitStack()
        self._package_cache: PackageCache | None = None
        self.private_key, self.public_key = _ssh_key()

    # --- life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Lab:
        self.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self.down()

    def start(self) -> None:
        """Make the lab's namespaces; no host yet."""
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.keeper", str(self.state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert self._keeper.stdout is not None and self._keeper.stderr is not None
        line = self._keeper.stdout.readline()
        if not line:
            problem = self._keeper.stderr.read().decode(errors="replace").strip()
            raise LabError(f"the lab's namespaces could not be made: {problem}")
        facts = json.loads(line)
        self.first, self.namespaces = facts["first"], facts["namespaces"]
        for folder in ("hosts", "ssh", "tmp"):
            (self.state / folder).mkdir()
        collections = self.state / "collections" / "ansible_collections" / "prositronic"
        collections.mkdir(parents=True)
        (collections / "infra").symlink_to(CHECKOUT)

    def down(self) -> None:
        """Take everything down; returns when it is gone."""
        if self._keeper is None:
            return
        keeper, self._keeper = self._keeper, None
        self._services.close()
        keeper.communicate()  # closes its standard input, which ends it
        for host in self.hosts.values():
            host.let_go()

    @property
    def keeper(self) -> int:
        """Process number of the lab's keeper."""
        if self._keeper is None:
            raise LabError("this lab is down")
        return self._keeper.pid

    def leftovers(self) -> list[str]:
        """What of this lab can still be found on the machine; empty once it is down."""
        return leftovers.of_lab(self.name, self.namespaces)

    # --- hosts ----------------------------------------------------------------------------------------------------

    def host(self, name: str, suite: str = "trixie", **options: Any) -> Host:
        """Boot one host and wait until it is ready; options are those of Machine."""
        return self.boot(Machine(name, suite, **options))[0]

    def boot(self, *machines: Machine, timeout: float = 60) -> list[Host]:
        """Boot several hosts at once and wait until all are ready; they come back in the order asked for."""
        for machine in machines:
            if machine.name in self.hosts:
                raise LabError(f"the lab has a host {machine.name} already")
            machine.image.lower_folders()  # builds what is missing, before anything is half there
        made = []
        for machine in machines:
            made.append(self.hosts.setdefault(machine.name, Host(self, machine, self._booted)))
            self._booted += 1
        with ThreadPoolExecutor(max_workers=max(1, len(made))) as pool:
            list(pool.map(Host.create, made))
            if self._package_cache is not None:
                list(pool.map(self._package_cache.introduce, made))
            list(pool.map(Host.power_on, made))
            list(pool.map(lambda host: host.wait_ready(timeout), made))
        for host in self.hosts.values():
            if host not in made and host.is_powered:
                host.write("/etc/hosts", self.hosts_file())
        return made

    def remove(self, host: Host) -> None:
        """Power a host off and forget it."""
        host.destroy()
        del self.hosts[host.name]

    def hosts_file(self) -> str:
        """/etc/hosts of every host: all know each other by name."""
        lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
        lines += [f"{host.address} {host.name}" for host in self.hosts.values()]
        return "\n".join(lines) + "\n"

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def enter(self) -> list[str]:
        """Start of a command line that runs the rest of it in the lab's namespaces."""
        if self._keeper is None:
            raise LabError("this lab is down")
        return ["nsenter", f"--target={self.first}", "--mount", "--net", "--pid", "--"]

    def run_inside(self, command: Sequence[str]) -> str:
        """Run a command in the lab's namespaces; returns its output, raises LabError with it."""
        done = subprocess.run(
            [*self.enter, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise LabError(f"{command[0]} in lab {self.name} failed: {output.strip()}")
        return output

    def connect(self, address: str, port: int, timeout: float = 5) -> socket.socket:
        """A TCP connection from the controller's place in the lab's network."""
        return namespaces.in_network_of(self.first, lambda: socket.create_connection((address, port), timeout))

    def listen(self, port: int = 0) -> socket.socket:
        """A listening socket at the controller's place in the lab's network; its server may run anywhere."""
        return namespaces.listen_in(self.first, ADDRESS, port)

    def get(self, url: str, headers: Mapping[str, str] | None = None, timeout: float = 10) -> tuple[int, bytes]:
        """GET from the controller's place in the lab's network: status and body, whatever the status."""

        def ask() -> tuple[int, bytes]:
            request = urllib.request.Request(url, headers=dict(headers or {}))
            try:
                with urllib.request.urlopen(request, timeout=timeout) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as refusal:
                with refusal:
                    return refusal.code, refusal.read()
            except (OSError, http.client.HTTPException) as problem:
                raise LabError(f"GET {url} in lab {self.name}: {problem}") from None

        return namespaces.in_network_of(self.first, ask)

    def forget_connections(self, host: Host) -> None:
        """Drop ssh's kept connections to a host that went down."""
        for connection in (self.state / "ssh").glob(f"{host.address}-*"):  # one for each user
            connection.unlink(missing_ok=True)

    # --- services, started on request -----------------------------------------------------------------------------

    def package_cache(self) -> PackageCache:
        """Let the hosts install Debian's packages: all there are, and all booted later."""
        if self._package_cache is None:
            self._package_cache = self._services.enter_context(PackageCache(self.listen()))
            for host in self.hosts.values():
                self._package_cache.introduce(host)
        return self._package_cache

    def file_server(self) -> FileServer:
        """An HTTP server of files that can break, slow down and resume."""
        return self._services.enter_context(FileServer(self.listen()))

    def apt_repository(
        self, path: str = "stable/deb/amd64", key_path: str = "gpgkey", architecture: str = "amd64"
    ) -> AptRepository:
        """A signed apt repository, empty at first, served by a file server of its own."""
        return AptRepository(self.file_server(), self.enter, self.state / "tmp", path, key_path, architecture)

    def rpm_repository(
        self, path: str = "stable/rpm/x86_64", key_path: str = "gpgkey", architecture: str = "x86_64"
    ) -> RpmRepository:
        """A signed rpm repository, empty at first, served by a file server of its own."""
        return RpmRepository(self.file_server(), self.enter, self.state / "tmp", path, key_path, architecture)

    def model_hub(self) -> ModelHub:
        """A stand-in for a model hub that speaks what huggingface_hub asks for downloads."""
        return self._services.enter_context(ModelHub(self.listen(), self.file_server()))

    # --- Ansible --------------------------------------------------------------------------------------------------

    def inventory(self, user: str = "root") -> Path:
        """Write the inventory of all hosts; returns its path."""
        return plays.write_inventory(self, user)

    def play(self, source: plays.Source, **options: Any) -> plays.Play:
        """Run a playbook by ansible-playbook over ssh; see plays.run for source and options."""
        return plays.run(self, source, **options)

    def role(self, role: str, hosts: Host | Sequence[Host] | None = None, **options: Any) -> plays.Play:
        """Run one of this collection's roles; options are those of plays.run."""
        play = [{"hosts": plays.pattern(hosts), "roles": [f"prositronic.infra.{role}"]}]
        return plays.run(self, play, **options)

    def start_play(self, source: plays.Source, **options: Any) -> plays.RunningPlay:
        """Start a playbook and return while it runs, to do something to it."""
        return plays.start(self, source, **options)

    # --- evidence -------------------------------------------------------------------------------------------------

    def save_evidence(self, folder: Path) -> list[Path]:
        """Write what the hosts and plays said to a folder, made anew; returns the files written."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        saved = []
        for number, play in enumerate(self.plays, 1):
            path = folder / f"play-{number:02}.txt"
            path.write_text(play.output, encoding="utf-8")
            saved.append(path)
        for host in self.hosts.values():
            saved += host.save_evidence(folder)
        return saved


def _ssh_key() -> tuple[Path, str]:
    """The key pair that every host of every lab on this machine trusts."""
    private = cache_dir() / "id_ed25519"
    public = private.with_suffix(".pub")
    if not public.exists():
        fresh = cache_dir() / f"id_ed25519.{secrets.token_hex(3)}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(fresh)], check=True)
        fresh.rename(private)
        fresh.with_name(f"{fresh.name}.pub").rename(public)
    return private, public.read_text(encoding="ascii")


def living() -> dict[str, int]:
    """Labs that run on this machine: {name: process number of the keeper}."""
    return {name: int(facts["keeper"]) for name, facts in leftovers.leases().items()}


def take_down(name: str, patience_seconds: float = 30) -> None:
    """End a running lab from another process than the one that started it."""
    keeper = living().get(name)
    if keeper is None:
        raise LabError(f"no lab {name!r} runs here")
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(keeper)
        try:
            os.kill(keeper, signal.SIGTERM)
            if not select.select([handle], [], [], patience_seconds)[0]:
                raise NotReady(f"lab {name} did not end in {patience_seconds:g} s")
        finally:
            os.close(handle)
