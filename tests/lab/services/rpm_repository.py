# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signed rpm repository of stand-in packages, and the disguise of a host that installs from it."""

from __future__ import annotations

from pathlib import Path

from .recipes import Package, build_rpm
from .repository import Repository


class RpmRepository(Repository):
    """Options of Lab.rpm_repository: path (default stable/rpm/x86_64), key_path (gpgkey), architecture (x86_64).

    Packages are signed as well as the index. Packages of an earlier key keep its signature.
    """

    def _build(self, package: Package, work: Path) -> Path:
        return build_rpm(package, self.architecture, work, self._packages, self.key)

    def _write_index(self) -> None:
        self.key.run("createrepo_c", "--quiet", "--simple-md-filenames", str(self._packages))
        index = self._packages / "repodata" / "repomd.xml"
        self.key.gpg("--armor", "--detach-sign", "--output", f"{index}.asc", str(index))


SUSE_RELEASE = """NAME="openSUSE Leap"
VERSION="15.6"
ID="opensuse-leap"
ID_LIKE="suse opensuse"
VERSION_ID="15.6"
PRETTY_NAME="openSUSE Leap 15.6 (a disguise: this host is Debian with zypper)"
"""
OS_RELEASE = """NAME="Rocky Linux"
VERSION="9.6 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.6"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.6 (a disguise: this host is Debian with dnf)"
"""

# Options of a Machine. No mirror of a distribution with rpm is needed: Debian's own dnf and rpm do the work, and the files
# that say what system this is say Rocky. What a test shows on it is true for dnf and rpm, not for Rocky.
DISGUISED_AS_ROCKY = {
    "suite": "trixie",
    "packages": ("dnf", "python3-dnf", "rpm"),
    "run": (
        f"printf '%s' '{OS_RELEASE}' > /usr/lib/os-release",
        "echo 'Rocky Linux release 9.6 (Blue Onyx)' | tee /etc/rocky-release /etc/redhat-release > /etc/system-release",
        "rm -f /etc/debian_version",
        "mkdir -p /etc/yum.repos.d /etc/pki/rpm-gpg",
    ),
}

# The same with zypper, which only Debian 12 has.
DISGUISED_AS_OPENSUSE = {
    "suite": "bookworm",
    "packages": ("rpm", "zypper"),
    "run": (
        f"printf '%s' '{SUSE_RELEASE}' > /usr/lib/os-release",
        "echo 'openSUSE Leap 15.6' > /etc/SuSE-release",
        "rm -f /etc/debian_version",
        "mkdir -p /etc/pki/rpm-gpg /etc/rpm",
        "echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros",  # Debian's rpm keeps a database for each user
    ),
}
