# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a signed package repository is, whatever its packages' format: recipes in, an index and a key out."""

from __future__ import annotations

import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from .file_server import FileServer
from .recipes import Package
from .signing import SigningKey


class Repository(ABC):
    """Signed stand-in packages below a path of a file server.

    files: that server, for what shall go wrong on the way. url, key_url: what a user would be told to configure.
    """

    def __init__(
        self, files: FileServer, enter: Sequence[str], folder: Path, path: str, key_path: str, architecture: str
    ) -> None:
        self.files = files
        self.architecture = architecture
        self._enter = list(enter)
        self._path = path.strip("/")
        self._key_path = key_path.strip("/")
        self._folder = folder / f"repository-{secrets.token_hex(3)}"
        self._packages = self._folder / "packages"
        self._packages.mkdir(parents=True)
        self._built: dict[tuple[str, str], Path] = {}
        self.url = f"{files.url}/{self._path}"
        self.key = SigningKey(self._enter, self._folder)
        self.key_url = files.publish(self._key_path, self.key.armored)
        self._index()

    @abstractmethod
    def _build(self, package: Package, work: Path) -> Path:
        """Make one package's file in self._packages."""

    @abstractmethod
    def _write_index(self) -> None:
        """Write the index of self._packages, signed by self.key."""

    def _index(self) -> None:
        self._write_index()
        self.files.withdraw(self._path)
        self.files.publish(self._path, self._packages)

    def publish(self, *packages: Package) -> None:
        """Add packages, or replace those of the same name and version."""
        for package in packages:
            self.withdraw(package.name, package.version)
            work = self._folder / f"work-{secrets.token_hex(3)}"
            work.mkdir()
            self._built[package.name, package.version] = self._build(package, work)
            shutil.rmtree(work)
        self._index()

    def withdraw(self, name: str, version: str | None = None) -> None:
        """Remove a package, or one version of it, from the index and the server."""
        for known in [each for each in self._built if each[0] == name and version in (None, each[1])]:
            self._built.pop(known).unlink()
        self._index()

    def replace_key(self, publish: bool = True) -> None:
        """Sign everything with a new key; publish=False leaves the old one at key_url, as after a bad rotation."""
        self.key = SigningKey(self._enter, self._folder)
        if publish:
            self.files.publish(self._key_path, self.key.armored)
        self._index()
