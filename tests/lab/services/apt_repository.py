# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signed apt repository of stand-in packages, in the flat layout that vendors use: `deb URL/ ./`."""

from __future__ import annotations

import gzip
from pathlib import Path

from .recipes import Package, build_deb
from .repository import Repository


class AptRepository(Repository):
    """Options of Lab.apt_repository: path (default stable/deb/amd64), key_path (gpgkey), architecture (amd64)."""

    def _build(self, package: Package, work: Path) -> Path:
        return build_deb(package, self.architecture, work, self._packages, self.key)

    def _write_index(self) -> None:
        folder = self._packages
        for name in ("Packages", "Packages.gz", "Release", "Release.gpg", "InRelease"):
            (folder / name).unlink(missing_ok=True)
        listing = self.key.run("sh", "-euc", 'cd "$0" && apt-ftparchive packages .', str(folder))
        (folder / "Packages").write_text(listing, encoding="utf-8")
        (folder / "Packages.gz").write_bytes(gzip.compress(listing.encode(), mtime=0))
        release = self.key.run(
            "apt-ftparchive",
            "-o",
            "APT::FTPArchive::Release::Origin=Stand-in",
            "-o",
            "APT::FTPArchive::Release::Label=Stand-in, made for tests",
            "release",
            str(folder),
        )
        (folder / "Release").write_text(release, encoding="utf-8")
        self.key.gpg("--armor", "--detach-sign", "--output", str(folder / "Release.gpg"), str(folder / "Release"))
        self.key.gpg("--clearsign", "--output", str(folder / "InRelease"), str(folder / "Release"))
