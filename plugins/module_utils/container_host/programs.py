# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the host: where they are, and what they say."""

from __future__ import annotations

import os

from ..bounded import Broken, Result, run
from ..host_files import Files

SECONDS = 30.0
# Not PATH alone, which a session without a login often cuts short
FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/rke2/bin")


def find(files: Files, name: str) -> str | None:
    """Return the path of a program, None when the host does not have it."""
    paths = (files.path(folder, name) for folder in FOLDERS)
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def ask(files: Files, name: str, *arguments: str, seconds: float = SECONDS) -> Result | None:
    """Return how a program ended and what it said, None when there is none or it gave no answer."""
    path = find(files, name)
    if path is None:
        return None
    try:
        return run((path, *arguments), seconds)
    except Broken:
        return None


def said(result: Result | None) -> str:
    """Return the output as text."""
    return result.output.decode("utf-8", "replace") if result else ""
