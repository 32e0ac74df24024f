# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab needs from the machine it runs on, and how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .errors import NotReady

# Debian package: a program it brings
PACKAGES = {
    "apt-utils": "apt-ftparchive",
    "createrepo-c": "createrepo_c",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "dpkg-dev": "dpkg-deb",
    "e2fsprogs": "mkfs.ext4",
    "gnupg": "gpg",
    "iproute2": "ip",
    "mmdebstrap": "mmdebstrap",
    "openssh-client": "ssh",
    "rpm": "rpmbuild",
    "systemd-container": "systemd-nspawn",
    "util-linux": "nsenter",
}
FILESYSTEMS = ("overlay", "ext4")
SETUP = "tests/lab/run setup"


def _there(program: str) -> bool:
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None


def missing_packages() -> list[str]:
    """Debian packages whose program is not there, sorted."""
    return sorted(package for package, program in PACKAGES.items() if not _there(program))


def missing() -> list[str]:
    """Everything that keeps the lab from running here, one sentence each; empty when it can run."""
    if not sys.platform.startswith("linux"):
        return [f"the lab boots Linux hosts and needs a Linux kernel, this is {sys.platform}"]
    problems = []
    if os.geteuid() != 0:
        problems.append("the lab makes namespaces, mounts and cgroups and needs to run as root")
    known = Path("/proc/filesystems").read_text(encoding="ascii").split()
    problems += [f"the kernel knows no {name} file system" for name in FILESYSTEMS if name not in known]
    if not Path("/dev/loop-control").exists():
        problems.append("the kernel has no loop devices (/dev/loop-control)")
    packages = missing_packages()
    if packages:
        problems.append(f"these Debian packages are not installed: {', '.join(packages)} (`{SETUP}` installs them)")
    return problems


def require() -> None:
    """Raise NotReady with every reason why the lab cannot run here."""
    problems = missing()
    if problems:
        raise NotReady("; ".join(problems))


def setup() -> None:
    """Install the missing packages with apt-get, without starting the services they bring."""
    packages = missing_packages()
    if not packages:
        return
    if os.geteuid() != 0:
        raise NotReady("installing packages needs root")
    if shutil.which("apt-get") is None:
        raise NotReady(f"this system has no apt-get: install what brings {', '.join(packages)} by its own means")
    # RUNLEVEL=1 keeps invoke-rc.d from starting what is being installed
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
    ):
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True)
