# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real programs of llama.cpp: Debian's packages, unpacked into a cache folder, not installed. Needs no root.

They run with the C library that they were built with, whatever the machine's own is.
"""

from __future__ import annotations

import contextlib
import platform
import re
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.prositronic.infra.tests.lab import mirror
from ansible_collections.prositronic.infra.tests.lab.errors import LabError
from ansible_collections.prositronic.infra.tests.lab.image import PERIOD_DAYS

SUITE = "sid"
PACKAGES = ("llama.cpp-tools-extra", "libggml0-backend-rpc")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LIMIT_SECONDS = 120
LOADER = "ld-linux-x86-64.so.2"


class NotHere(Exception):
    """The programs cannot be had on this machine; the text says why."""


class Programs:
    """llama-fit-params and ggml-rpc-server, and how to start them. `folder`: an unpacked system that holds them."""

    def __init__(self, folder: Path) -> None:
        self._libraries = folder / "usr" / "lib" / "x86_64-linux-gnu"
        self._fit_params = folder / "usr" / "bin" / "llama-fit-params"
        self._rpc_server = folder / "usr" / "libexec" / "x86_64-linux-gnu" / "llama" / "bin" / "ggml-rpc-server"
        paths = ":".join(str(self._libraries / name) for name in (".", "ggml", "llama"))
        self._start = [str(next(folder.rglob(LOADER))), "--library-path", paths]
        # ggml looks for its backends where it is started
        self._backends = next(path for path in (self._libraries / "ggml").iterdir() if path.name.startswith("backends"))

    def version(self) -> tuple[str, int]:
        """Return the version and the number of the build."""
        said = self._run([str(self._fit_params), "--version"])
        found = re.search(r"version: (\S+) \((?:b|build )?(\d+)", said.stdout + said.stderr)
        if found is None:
            raise NotHere("llama-fit-params does not say its version")
        return found[1], int(found[2])

    def fit_params(self, arguments: t.Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run llama-fit-params."""
        return self._run([str(self._fit_params), *arguments])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._start, *command],
            cwd=self._backends,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
            check=False,
        )

    @contextlib.contextmanager
    def rpc_devices(self, count: int) -> t.Iterator[list[str]]:
        """Start servers that stand for GPUs, on the loopback; gives their endpoints."""
        started: list[subprocess.Popen[bytes]] = []
        try:
            endpoints = []
            for _number in range(count):
                with socket.socket() as free:
                    free.bind(("127.0.0.1", 0))
                    port = free.getsockname()[1]
                started.append(
                    subprocess.Popen(
                        [*self._start, str(self._rpc_server), "-H", "127.0.0.1", "-p", str(port), "-t", "1"],
                        cwd=self._backends,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                    )
                )
                _wait_for(port, started[-1])
                endpoints.append(f"127.0.0.1:{port}")
            yield endpoints
        finally:
            for process in started:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise NotHere("ggml-rpc-server does not start")


def debian_programs(cache: Path) -> Programs:
    """Return Debian's newest programs, from `cache` if they were unpacked there before.

    :raises NotHere: this machine is not one that they run on, or no archive of Debian can be reached.
    """
    period = int(time.time() // 86400) // PERIOD_DAYS
    folder = cache / f"llama.cpp-{SUITE}-{period}"
    if not folder.is_dir():
        for old in cache.glob(f"llama.cpp-{SUITE}*"):
            shutil.rmtree(old, ignore_errors=True)
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise NotHere(f"the real llama.cpp comes from Debian's packages, and there is no {program} here")
        if platform.machine() != "x86_64" or not KEYRING.exists():
            raise NotHere(
                "the real llama.cpp comes from Debian's packages for x86-64, checked with debian-archive-keyring"
            )
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            _unpack(Path(work), folder)
    return Programs(folder)


def _unpack(work: Path, folder: Path) -> None:
    """Let apt, with a state of its own, fetch the packages and all they need; unpack them to `folder`."""
    try:
        source = mirror.debian_mirror()
        settings = mirror.apt_options()
    except (LabError, OSError, subprocess.CalledProcessError) as problem:
        raise NotHere(f"no archive of Debian is known here: {problem}") from problem
    for name in ("etc/apt.conf.d", "etc/preferences.d", "lists/partial", "archives/partial", "root"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    (work / "etc" / "sources.list").write_text(f"deb [signed-by={KEYRING}] {source} {SUITE} main\n", encoding="ascii")
    (work / "etc" / "apt.conf").write_text("\n".join(settings), encoding="utf-8")
    places = {
        "Dir::Etc": work / "etc",
        "Dir::State": work,
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
    }
    options = [part for key, value in places.items() for part in ("-o", f"{key}={value}")]
    options += ["-o", f"Dir::Etc::main={work / 'etc' / 'apt.conf'}"]
    for key_value in settings:
        key, _space, value = key_value.rstrip(";").partition(" ")
        options += ["-o", f"{key}={value.strip(chr(34))}"]
    for words in (["update"], ["install", "-y", "--no-install-recommends", "--download-only", *PACKAGES]):
        done = subprocess.run(["apt-get", "-q", *options, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            last = next(
                (line for line in reversed(done.stderr.splitlines()) if line.startswith("E:")), "no reason given"
            )
            raise NotHere(f"apt-get {words[0]} from Debian {SUITE} failed: {last.split('http', 1)[0].strip()}")
    for package in sorted((work / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(work / "root")], check=True)
    with contextlib.suppress(OSError):  # another run was as quick
        (work / "root").rename(folder)
