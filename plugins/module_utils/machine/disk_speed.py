# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a folder's files are read from end to end, past the page cache, as a model is loaded.

The largest file there is read with O_DIRECT. A folder without a large file gets one without a name (O_TMPFILE): the
kernel removes it whenever the process that made it ends, however it ends.
"""

from __future__ import annotations

import mmap
import os
import stat
import time

from .storage import existing_folder

_BLOCK_BYTES = 16 * 2**20
_LEAST_BYTES = 256 * 2**20
_WRITTEN_BYTES = 2**30
_ENTRIES_LIMIT = 10_000


def measure(path: str, seconds: float) -> int:
    """Return bytes per second of sequential reads that take `seconds`.

    :raises OSError, ValueError: no reads past the cache, no room, no right to write where nothing can be read.
    """
    folder = existing_folder(path)
    file = _largest_file(folder)
    if file is None:
        return _measure_written(folder, seconds)
    handle = os.open(file, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        return _rate(handle, os.fstat(handle).st_size, seconds)
    finally:
        os.close(handle)


def _rate(handle: int, size: int, seconds: float) -> int:
    """Read from the start, again from the start at the end, until the time is over."""
    usable = size // _BLOCK_BYTES * _BLOCK_BYTES
    buffer = mmap.mmap(-1, _BLOCK_BYTES)  # aligned, as O_DIRECT wants it
    offset = done = 0
    start = time.monotonic()
    while True:
        count = os.preadv(handle, [buffer], offset)
        done += count
        elapsed = time.monotonic() - start
        if elapsed >= seconds:
            return int(done / elapsed)
        if not count:
            raise ValueError("the file ended early")
        offset = offset + count if offset + count < usable else 0


def _measure_written(folder: str, seconds: float) -> int:
    """Write a file without a name for up to `seconds`, and measure on that."""
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < 4 * _WRITTEN_BYTES:
        raise ValueError(f"no file of {_LEAST_BYTES // 2**20} MiB is there to read, and no room to write one")
    handle = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        block = os.urandom(_BLOCK_BYTES)  # nothing that a file system could compress
        start, size = time.monotonic(), 0
        while size < _WRITTEN_BYTES and (size < _LEAST_BYTES or time.monotonic() - start < seconds):
            size += os.write(handle, block)
        os.fsync(handle)
        reader = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
        try:
            return _rate(reader, size, seconds)
        finally:
            os.close(reader)
    finally:
        os.close(handle)


def _largest_file(folder: str) -> str | None:
    """Return the largest readable file in a folder or just below it, None without one large enough."""
    best, size, seen = None, _LEAST_BYTES - 1, 0
    for parent, folders, names in os.walk(folder):
        if parent != folder:
            folders.clear()
        for name in names:
            seen += 1
            if seen > _ENTRIES_LIMIT:
                return best
            path = os.path.join(parent, name)
            try:
                status = os.stat(path)
                # A file with holes would be read at the speed of memory.
                whole = stat.S_ISREG(status.st_mode) and status.st_blocks * 512 >= status.st_size
                if whole and status.st_size > size and os.access(path, os.R_OK):
                    best, size = path, status.st_size
            except OSError:
                continue
    return best
