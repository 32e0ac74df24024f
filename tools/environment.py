# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments for `./check` and `./demo`: which Pythons there are, and an environment made once per content.

An environment is kept with a fingerprint of what it was made from (interpreter and requirements). Asking for it again
returns at once; asking for other contents makes it anew. Standard library only.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_STAMP = "made-from.sha256"
_LOCK = ".lock"
_UNUSED_SECONDS = 14 * 24 * 3600

# What pip says when the index cannot be reached, as opposed to a package that is not there.
_NO_NETWORK = re.compile(
    r"Temporary failure in name resolution|Name or service not known|Network is unreachable|Connection refused"
    r"|ConnectTimeout|Connection to .* timed out|Max retries exceeded|ProxyError|NewConnectionError|SSLError"
)


class EnvironmentProblem(Exception):
    """An environment cannot be made; the text says why and what to do, for a person."""


@dataclasses.dataclass(frozen=True)
class Python:
    """An interpreter of this machine; `version` is (major, minor, micro)."""

    version: tuple[int, int, int]
    path: Path
    has_venv: bool

    @property
    def minor(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment on disk."""

    directory: Path
    python: Python

    @property
    def bin(self) -> Path:
        return self.directory / "bin"

    @property
    def site_packages(self) -> Path:
        return self.directory / "lib" / f"python{self.python.minor}" / "site-packages"

    def variables(self, base: t.Mapping[str, str] | None = None) -> dict[str, str]:
        """Environment variables with this environment's programs first on PATH."""
        variables = dict(os.environ if base is None else base)
        variables.pop("PYTHONHOME", None)
        variables.pop("PYTHONPATH", None)
        variables["VIRTUAL_ENV"] = str(self.directory)
        variables["PATH"] = f"{self.bin}{os.pathsep}{variables.get('PATH', os.defpath)}"
        return variables


def find_pythons() -> list[Python]:
    """Every Python 3 of this machine, one per minor version, newest first (see `tools/python`)."""
    listing = subprocess.run([str(ROOT / "tools" / "python"), "--list"], capture_output=True, text=True, check=True)
    pythons = []
    for line in listing.stdout.splitlines():
        version, path, venv = line.split()
        major, minor, micro = map(int, version.split("."))
        pythons.append(Python((major, minor, micro), Path(path), venv == "venv"))
    return pythons


def this_python() -> Python:
    """The interpreter that runs this."""
    return Python(sys.version_info[:3], Path(sys.executable).resolve(), True)


def cache_directory() -> Path:
    """Where what can be made again is kept: below the user's cache, else git-ignored in the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    directory = Path(base) / "prositronic.infra"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK):
            return directory
    except OSError:
        pass
    directory = ROOT / ".cache"
    directory.mkdir(exist_ok=True)
    return directory


def fingerprint(python: Python, requirements: t.Sequence[str]) -> str:
    """What an environment depends on, as a hash: interpreter and the text of all requirements, files included."""
    text = [str(python.path), str(python)]
    for requirement in requirements:
        path = ROOT / requirement
        text.append(path.read_text(encoding="utf-8") if path.is_file() else requirement)
    return hashlib.sha256("\0".join(text).encode()).hexdigest()


def cached_environment(
    name: str, python: Python, requirements: t.Sequence[str], output: t.IO[str] | None = None
) -> Environment:
    """An environment in the cache, one directory per content, so that checkouts share what is the same.

    Environments of that name that nobody has asked for in two weeks are removed.
    """
    place = cache_directory() / "environments"
    directory = place / f"{name}-{fingerprint(python, requirements)[:12]}"
    environment = make_environment(directory, python, requirements, output)
    (directory / _STAMP).touch()
    for stamp in place.glob(f"{name}-*/{_STAMP}"):
        if time.time() - stamp.stat().st_mtime > _UNUSED_SECONDS:
            shutil.rmtree(stamp.parent, ignore_errors=True)
    return environment


def make_environment(
    directory: Path,
    python: Python,
    requirements: t.Sequence[str],
    output: t.IO[str] | None = None,
) -> Environment:
    """Make `directory` a virtual environment of `python` holding `requirements`, unless it is that already.

    A requirement is one of pip's (`ansible-core~=2.21.0`) or the path of a requirements file, relative to the checkout.
    Raises EnvironmentProblem.
    """
    if not python.has_venv:
        raise EnvironmentProblem(
            f"Python {python} ({python.path}) has no venv module: install the package python{python.minor}-venv."
        )
    environment = Environment(directory, python)
    wanted = fingerprint(python, requirements)
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / _LOCK, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = directory / _STAMP
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return environment
        for leftover in directory.iterdir():
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            elif leftover.name != _LOCK:
                leftover.unlink()
        run_quietly([str(python.path), "-m", "venv", str(directory)], f"making {directory}", output)
        _install(environment, requirements, output)
        stamp.write_text(wanted, encoding="utf-8")
    return environment


def _install(environment: Environment, requirements: t.Sequence[str], output: t.IO[str] | None) -> None:
    arguments: list[str] = []
    for requirement in requirements:
        path = ROOT / requirement
        arguments += ["--requirement", str(path)] if path.is_file() else [requirement]
    # Byte code is written when a module is first imported: most of what is installed never is.
    command = [str(environment.bin / "python"), "-m", "pip", "install", "--no-compile", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "2", *arguments]
    run_quietly(command, "installing " + ", ".join(requirements), output)


def run_quietly(
    command: t.Sequence[str],
    purpose: str,
    output: t.IO[str] | None = None,
    variables: t.Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command whose output is only of interest when it fails, or in `output`. Raises EnvironmentProblem."""
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=variables,
        cwd=cwd,
        check=False,
    )
    if output is not None:
        output.write(result.stdout)
    if result.returncode == 0:
        return
    if _NO_NETWORK.search(result.stdout):
        reason = (
            "pip does not reach the package index: check the network, or name a reachable index"
            " (PIP_INDEX_URL, or index-url in pip.conf)."
        )
    elif "No space left on device" in result.stdout:
        reason = "the disk is full."
    else:
        reason = f"the command ended with {result.returncode}."
    last_lines = "\n".join("    " + line for line in result.stdout.strip().splitlines()[-6:])
    raise EnvironmentProblem(f"Failed {purpose}: {reason}\n{last_lines}")
