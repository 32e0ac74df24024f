# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job: bring all files of a model into a staging folder, and check them. Runs by itself, whoever still listens.

Started as `python job.pyz FOLDER`, or `python job.pyz FOLDER detach` to return at once and go on behind. In the folder are
`request.json`, `token` (if there is one) and what the job says: `status.json` with `{phase, bytes, total_bytes,
bytes_per_second, error, files, commit}`, and the lock that shows that it runs.
"""

from __future__ import annotations

import collections
import errno
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
import typing as t

from .hub import HubSource
from .mirror import HttpSource
from .parts import GIB, FetchError, Part, Source
from .path import PathSource
from .quantize import QuantizeSource

_TELL_SECONDS = 1.0
_LOCK_TRIES = 20
_LOCK_PAUSE_SECONDS = 0.05
_RATE_SECONDS = 15.0
_CHUNK_BYTES = 8 << 20
_BALLAST_BYTES = 64 << 10


class Status:
    """What the job says of itself, told once a second by a thread that counts what is on disk."""

    def __init__(self, folder: str, staging: str) -> None:
        self._path = os.path.join(folder, "status.json")
        self._staging = staging
        self._told: dict[str, t.Any] = {"phase": "starting", "bytes": 0, "total_bytes": None, "bytes_per_second": None}
        self._seen: collections.deque[tuple[float, int]] = collections.deque()
        self._checked_bytes = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        # Given up for the last word, which a full disk would not take otherwise
        self._ballast = os.path.join(folder, "ballast")
        with open(self._ballast, "wb") as file:
            file.write(bytes(_BALLAST_BYTES))
        self._thread = threading.Thread(target=self._go_on_telling, daemon=True)
        self._thread.start()

    def say(self, **what: t.Any) -> None:
        """Change what is told."""
        with self._lock:
            if what.get("phase", self._told["phase"]) != self._told["phase"]:
                self._seen.clear()
            self._told.update(what)
        self._tell()

    def checked(self, size: int) -> None:
        """Count bytes that have been checked."""
        self._checked_bytes += size

    def end(self, **what: t.Any) -> None:
        """Tell for the last time."""
        self._ended.set()
        self._thread.join()
        os.unlink(self._ballast)
        self.say(**what)

    def _go_on_telling(self) -> None:
        while not self._ended.wait(_TELL_SECONDS):
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            if self._told["phase"] in ("fetching", "checking"):
                done = self._checked_bytes if self._told["phase"] == "checking" else size_of(self._staging)
                now = time.monotonic()
                self._seen.append((now, done))
                while now - self._seen[0][0] > _RATE_SECONDS:
                    self._seen.popleft()
                first, since = self._seen[0]
                self._told["bytes"] = done
                self._told["bytes_per_second"] = int((done - since) / (now - first)) if now > first else None
            temporary = f"{self._path}.new"
            try:
                with open(temporary, "w", encoding="utf-8") as file:
                    json.dump(self._told, file)
                os.replace(temporary, self._path)
            except OSError as problem:
                # A full disk must not keep the job from coming to its own end
                if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise


def size_of(folder: str) -> int:
    """Return the bytes of all files in a folder, links as what they lead to."""
    total = 0
    for path, _folders, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_size
            except OSError:
                continue  # renamed meanwhile
    return total


def main(folder: str, how: str = "") -> int:
    """Run the job of a folder; return the exit code."""
    if how == "detach" and not _go_behind(os.path.join(folder, "output")):
        return 0
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:
        if not _taken(lock):
            return 0  # runs already
        with open(os.path.join(folder, "request.json"), encoding="utf-8") as file:
            request = json.load(file)
        os.umask(0o022)
        os.makedirs(request["staging"], exist_ok=True)
        status = Status(folder, request["staging"])
        try:
            files, commit = _bring(request, _token(folder), status)
        except FetchError as refused:
            status.end(phase="failed", error=str(refused))
            return 1
        except OSError as problem:
            status.end(phase="failed", error=_of_disk(problem, request["staging"]))
            return 1
        except Exception as problem:  # whoever looks must learn of it
            status.end(phase="failed", error=f"the job broke: {type(problem).__name__}: {problem}")
            raise
        status.end(phase="arrived", files=files, commit=commit)
        return 0


def _taken(lock: t.IO[str]) -> bool:
    """Take the lock of the job; who only looks whether one runs holds it for a moment."""
    for _try in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_SECONDS)
    return False


def _go_behind(output: str) -> bool:
    """Go on in a process that belongs to nobody who waits; return whether this is that process."""
    if os.fork():
        return False
    os.setsid()
    handles = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream, handle in ((0, handles[0]), (1, handles[1]), (2, handles[1])):
        os.dup2(handle, stream)
    return True


def _token(folder: str) -> str | None:
    """Return the token, which is on disk no longer than until it is read."""
    path = os.path.join(folder, "token")
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read().strip()
        os.unlink(path)
    except FileNotFoundError:
        return None
    return token or None


def _source(request: dict[str, t.Any], token: str | None) -> Source:
    kind, what = request["kind"], request["source"]
    if kind == "hub":
        return HubSource(what, token, request["staging"])
    if kind == "http":
        return HttpSource(what["files"], token)
    if kind == "path":
        return PathSource(what["path"], what["method"], what["sha256"])
    return QuantizeSource(what)


def _bring(request: dict[str, t.Any], token: str | None, status: Status) -> tuple[list[dict[str, t.Any]], str | None]:
    staging = request["staging"]
    source = _source(request, token)
    status.say(phase="looking")
    parts = source.parts()
    if not (request["kind"] == "path" and request["source"]["method"] != "copy"):
        refuse_without_room(parts, staging, request["reserve_bytes"])
    sizes = [part.size_bytes for part in parts]
    total = sum(size or 0 for size in sizes)
    status.say(phase="fetching", total_bytes=total if None not in sizes else None)
    for part in parts:
        target = os.path.join(staging, part.path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        source.fetch(part, target)
    status.say(phase="checking", total_bytes=sum(os.stat(os.path.join(staging, part.path)).st_size for part in parts))
    files = [_checked(part, staging, status) for part in parts]
    shutil.rmtree(os.path.join(staging, ".cache"), ignore_errors=True)
    return files, getattr(source, "commit", None)


def refuse_without_room(parts: t.Sequence[Part], staging: str, reserve_bytes: int) -> None:
    """Refuse before the first byte what the disk cannot take.

    :raises FetchError: naming what is needed and what is free.
    """
    needed = sum(part.size_bytes or 0 for part in parts) - size_of(staging)
    figures = os.statvfs(staging)
    free = figures.f_bavail * figures.f_frsize
    if needed + reserve_bytes > free:
        raise FetchError(
            f"no room below {os.path.dirname(staging)}: {needed / GIB:.1f} GiB are still to come, {reserve_bytes / GIB:.1f} GiB"
            f" shall stay free, and {free / GIB:.1f} GiB are free"
        )


def _checked(part: Part, staging: str, status: Status) -> dict[str, t.Any]:
    """Compare a file with what the source says of it; a wrong one is removed, so that it is fetched anew."""
    path = os.path.join(staging, part.path)
    size = os.stat(path).st_size
    if part.exact and part.size_bytes is not None and size != part.size_bytes:
        os.unlink(path)
        raise FetchError(f"{part.path} has {size} bytes, its source says {part.size_bytes}; it was removed")
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            if not chunk:
                break
            digest.update(chunk)
            status.checked(len(chunk))
    found = digest.hexdigest()
    if part.sha256 is not None and found != part.sha256:
        os.unlink(path)
        raise FetchError(f"{part.path} has the sha256 {found}, and {part.sha256} was expected; it was removed")
    return {"path": part.path, "size_bytes": size, "sha256": found, "checked": part.sha256 is not None}


def _of_disk(problem: OSError, staging: str) -> str:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {os.path.dirname(staging)} is full; what has arrived is kept, and the next run goes on from there"
    return f"{problem.filename or staging}: {problem.strerror or problem}"
