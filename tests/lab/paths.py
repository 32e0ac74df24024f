# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the lab keeps its files: images in a cache, running labs in a state folder, both outside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import LabError

CHECKOUT = Path(__file__).resolve().parents[2]


def _private(folder: Path) -> Path:
    """Make `folder` for this user alone; refuse one that belongs to somebody else."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise LabError(f"{folder} belongs to another user: remove it, or name another folder")
    return folder


def cache_dir() -> Path:
    """Images, layers, downloaded packages and the lab's ssh key; survives runs."""
    named = os.environ.get("PROSITRONIC_LAB_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return _private(Path(named) if named else Path(base) / "prositronic-lab")


def state_dir() -> Path:
    """One folder per running lab. Short, because ssh's control sockets lie below it (108 bytes at most)."""
    return _private(Path(os.environ.get("PROSITRONIC_LAB_STATE") or "/var/tmp/prositronic-lab"))


def results_dir() -> Path:
    """What a failed test leaves to read: journals, consoles, the output of plays."""
    return Path(os.environ.get("PROSITRONIC_LAB_RESULTS") or CHECKOUT / ".cache" / "lab")
