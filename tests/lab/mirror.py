# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Debian mirror that this machine itself uses: no address of one is written down in the project."""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from urllib.parse import urlsplit

from .errors import NotReady

# What a guest inherits: a mirror that is a snapshot has Release files that are out of date by intent
INHERITED_APT_OPTIONS = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")


@lru_cache(maxsize=1)
def debian_mirror() -> str:
    """URL of the archive that holds Debian's suites, without a slash at the end.

    PROSITRONIC_LAB_MIRROR, or the first source of this machine's apt whose Release file says Origin and Label Debian.
    """
    named = os.environ.get("PROSITRONIC_LAB_MIRROR")
    if named:
        return named.rstrip("/")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    for line in listed.splitlines():
        origin, label, uri = line.split("|", 2)
        if origin == label == "Debian" and urlsplit(uri).scheme == "http":
            return uri.rstrip("/")
    raise NotReady(
        "this machine's apt names no Debian archive over http (run apt-get update first, "
        "or set PROSITRONIC_LAB_MIRROR to one)"
    )


@lru_cache(maxsize=1)
def apt_options() -> tuple[str, ...]:
    """Lines of apt.conf that this machine needs for its mirror and a guest therefore needs too."""
    dumped = subprocess.run(
        ["apt-config", "dump", *INHERITED_APT_OPTIONS], capture_output=True, text=True, check=True
    ).stdout
    return tuple(sorted(line for line in dumped.splitlines() if line.partition(" ")[0] in INHERITED_APT_OPTIONS))


def apt_proxy() -> str | None:
    """The http proxy that this machine's apt is told to use, if any."""
    shell = subprocess.run(
        ["apt-config", "shell", "PROXY", "Acquire::http::Proxy"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return shell.partition("=")[2].strip("'") or None
