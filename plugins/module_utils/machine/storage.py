# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders that models are read from: room, file system."""

from __future__ import annotations

import functools
import os
import typing as t

from ..bounded import Broken, call
from ..host_files import Files

_SECONDS = 5.0


def read(files: Files, paths: t.Sequence[str]) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Return `storage` of the contract for each path, and problems.

    A folder that is not there yet has the room of the file system it would be made in.
    """
    entries, problems = [], []
    for path in paths:
        entry: dict[str, t.Any] = {
            "path": path,
            "filesystem": None,
            "total_bytes": None,
            "free_bytes": None,
            "read_bytes_per_second": None,
            "source": None,
        }
        try:
            # In a process of its own: a file server that is gone stops whoever asks for its files.
            entry.update(call(functools.partial(_room, path), _SECONDS))
            entry["filesystem"] = _filesystem(files, entry.pop("folder"))
        except Broken as broken:
            problems.append(f"reading the room of {path} {broken}")
        entries.append(entry)
    return entries, problems


def existing_folder(path: str) -> str:
    """Return `path`, or the nearest folder above it that exists, symbolic links resolved."""
    folder = os.path.realpath(path)
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _room(path: str) -> dict[str, t.Any]:
    folder = existing_folder(path)
    room = os.statvfs(folder)
    return {
        "folder": folder,
        "total_bytes": room.f_blocks * room.f_frsize,
        "free_bytes": room.f_bavail * room.f_frsize,
    }


def _filesystem(files: Files, folder: str) -> str | None:
    """Return the type of the file system a folder lies on: of the last mount at the longest matching place."""
    best, kind = "", None
    for line in (files.text("/proc/self/mountinfo") or "").splitlines():
        before, _dash, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        place = fields[4].replace("\\040", " ")
        if (folder + "/").startswith(place.rstrip("/") + "/") and len(place) >= len(best):
            best, kind = place, after.split()[0]
    return kind
