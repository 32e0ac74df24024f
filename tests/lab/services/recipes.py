# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes of stand-in packages, and the .deb and .rpm files made from them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import LabError
from .signing import SigningKey


@dataclass(frozen=True)
class Package:
    """A package that has the name and version of a real one, and says in its description that it stands in for it.

    version: Debian's form, e.g. 1.18.0-1; for rpm what follows the last dash is the release.
    depends: relations in the repository's own form, e.g. "libfoo (= 1.0-1)" for apt, "libfoo = 1.0-1" for rpm.
    files: {absolute path: text}; a text that starts with "#!" is executable.
    scripts: {"postinst" or "prerm" or "postrm": text for sh}, apt only.
    """

    name: str
    version: str = "1.0-1"
    depends: tuple[str, ...] | list[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", self.name):
            raise LabError(f"{self.name!r} is not the name of a package")
        if not re.fullmatch(r"[0-9][A-Za-z0-9.+~]*-[A-Za-z0-9.+~]+", self.version):
            raise LabError(f"{self.version!r} of {self.name} is no version with a release, e.g. 1.0-1")
        for path in self.files:
            if not path.startswith("/"):
                raise LabError(f"file {path!r} of {self.name} is no absolute path")

    @property
    def description(self) -> str:
        return f"Stand-in for {self.name}, made for tests"

    def write_files(self, root: Path) -> None:
        """Lay the package's files out below a folder."""
        for path, text in self.files.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            file.chmod(_mode(text))


def _mode(text: str) -> int:
    return 0o755 if text.startswith("#!") else 0o644


def build_deb(package: Package, architecture: str, work: Path, target: Path, key: SigningKey) -> Path:
    """Make a .deb in the folder `target`; returns its path."""
    tree = work / f"{package.name}-{package.version}"
    control = tree / "DEBIAN"
    control.mkdir(parents=True)
    package.write_files(tree)
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": architecture,
        "Maintainer": "Tests <tests@example.invalid>",
        "Depends": ", ".join(package.depends),
        "Description": package.description,
    }
    lines = [f"{name}: {value}\n" for name, value in fields.items() if value]
    (control / "control").write_text("".join(lines), encoding="utf-8")
    for name, text in package.scripts.items():
        script = control / name
        script.write_text(f"#!/bin/sh\nset -e\n{text}\n", encoding="utf-8")
        script.chmod(0o755)
    file = target / f"{package.name}_{package.version}_{architecture}.deb"
    key.run("dpkg-deb", "--build", "--root-owner-group", "-Zgzip", str(tree), str(file))
    return file


def build_rpm(package: Package, architecture: str, work: Path, target: Path, key: SigningKey) -> Path:
    """Make a signed .rpm in the folder `target`; returns its path."""
    version, _, release = package.version.rpartition("-")
    tree = work / f"{package.name}-{package.version}"
    package.write_files(tree / "files")
    spec = tree / "stand-in.spec"
    lines = [
        f"Name: {package.name}",
        f"Version: {version}",
        f"Release: {release}",
        f"Summary: {package.description}",
        "License: GPL-3.0-or-later",
        *(f"Requires: {each}" for each in package.depends),
        "AutoReqProv: no",
        "%description",
        package.description,
        "%install",
        f"cp -a {tree / 'files'}/. %{{buildroot}}/" if package.files else "true",
        "%files",
        *(f'%attr({_mode(text):o}, root, root) "{path}"' for path, text in package.files.items()),
    ]
    spec.write_text("\n".join(lines) + "\n", encoding="utf-8")
    macros = {
        "_topdir": str(tree / "top"),
        "_rpmdir": str(target),
        "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "__gpg": shutil.which("gpg") or "/usr/bin/gpg",
        "_gpg_name": key.fingerprint,
        "_gpg_path": str(key.home),
        "__brp_compress": "/bin/true",
        "__brp_strip": "/bin/true",
    }
    defined = [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]
    key.run("rpmbuild", "-bb", "--quiet", f"--target={architecture}", *defined, str(spec))
    file = target / f"{package.name}-{package.version}.{architecture}.rpm"
    key.run("rpmsign", *defined, "--addsign", str(file))
    return file
