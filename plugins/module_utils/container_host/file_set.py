# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Some files that change together or not at all, with a journal until it is known that what was written works.

The journal is a folder: `journal.json` says which files were replaced since the last confirmed state and where the copy
of each is kept (null for a file that did not exist). It is written before the first file changes, so that a run that dies
at any point leaves enough to go on, or back.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import shutil
import stat
import tempfile
import typing as t

from ..bounded import Broken, run
from ..host_files import Files
from . import programs

JOURNAL = "journal.json"
FILE = "{file}"  # stands for the file to look at in the command that checks it
CHECK_SECONDS = 60.0


class FileSetError(Exception):
    """A sentence for the user."""


class File(t.NamedTuple):
    """One file as it shall be. content None: it shall not exist. mode: of a file that is new. check: command or empty."""

    path: str
    content: bytes | None
    mode: int = 0o644
    check: tuple[str, ...] = ()


class Change(t.NamedTuple):
    """One file that differs. before None: it does not exist. private: others than its owner may not read it."""

    file: File
    before: bytes | None
    private: bool


def changes(files: t.Sequence[File]) -> list[Change]:
    """Return the files that are not as they shall be."""
    found = []
    for file in files:
        before, mode = _read(file.path)
        if before != file.content:
            found.append(Change(file, before, not (file.mode if mode is None else mode) & 0o004))
    return found


def check(found: t.Sequence[Change], folder: str) -> None:
    """Let each file's own program look at its new content, in a file of its name below `folder`.

    :raises FileSetError: when it refuses; nothing has been changed then.
    """
    for number, change in enumerate(found):
        if not change.file.check or change.file.content is None:
            continue
        place = os.path.join(folder, str(number))
        os.mkdir(place, 0o700)
        candidate = os.path.join(place, os.path.basename(change.file.path))
        _put(candidate, change.file.content, 0o600)
        program = programs.find(Files(), change.file.check[0])
        if program is None:
            continue
        command = [program, *(part.replace(FILE, candidate) for part in change.file.check[1:])]
        try:
            done = run(command, CHECK_SECONDS)
        except Broken as broken:
            raise FileSetError(f"{command[0]}, to check what {change.file.path} would become, {broken}") from broken
        if done.status != 0:
            said = done.error.decode("utf-8", "replace").replace(candidate, change.file.path).strip()
            last = said.splitlines()[-1] if said else f"it ended with {done.status}"
            raise FileSetError(
                f"{change.file.check[0]} refuses what {change.file.path} would become, so nothing was changed: {last}"
            )


class Journal:
    """What to go back to. folder None: none is kept."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self.previous: dict[str, str | None] = {}
        if folder is not None:
            self.previous = self._load(os.path.join(folder, JOURNAL))

    @staticmethod
    def _load(path: str) -> dict[str, str | None]:
        try:
            with open(path, encoding="utf-8") as file:
                return dict(json.load(file)["previous"])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileSetError(f"{path} is damaged: remove it, the files that it told of stay as they are") from error

    def note(self, found: t.Sequence[Change]) -> None:
        """Keep copies of files before they change; one that is noted already keeps its older copy."""
        if self._folder is None:
            return
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        for change in found:
            path = change.file.path
            if path in self.previous:
                continue
            self.previous[path] = None
            if change.before is not None:
                copy = os.path.join(self._folder, path.strip("/").replace("/", "_"))
                _put(copy, change.before, 0o600)
                self.previous[path] = copy
        self._save()

    def _save(self) -> None:
        _put(os.path.join(t.cast(str, self._folder), JOURNAL), json.dumps({"previous": self.previous}).encode(), 0o600)

    def files(self) -> list[File]:
        """Return the files as they were.

        :raises FileSetError: when a copy is gone.
        """
        files = []
        for path, copy in self.previous.items():
            content = None
            if copy is not None:
                content, _mode = _read(copy)
                if content is None:
                    raise FileSetError(f"{path} cannot be put back: its copy {copy} is gone")
            files.append(File(path, content))
        return files

    def end(self) -> None:
        """Forget the changes: they work, or were taken back. The copies stay until the next change."""
        self.previous = {}
        if self._folder is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self._folder, JOURNAL))


def write(found: t.Sequence[Change]) -> None:
    """Replace the files, each in one step.

    :raises FileSetError: when one cannot be written; those before it are as they were.
    """
    done: list[Change] = []
    for change in found:
        try:
            _apply(change.file)
        except OSError as error:
            for earlier in reversed(done):
                _apply(File(earlier.file.path, earlier.before, earlier.file.mode))
            raise FileSetError(
                f"{change.file.path} could not be written, so nothing was changed: {error.strerror}"
            ) from error
        done.append(change)


@contextlib.contextmanager
def rights_of(user: str | None) -> t.Iterator[None]:
    """Touch files with the rights of a user for the length of a block: the kernel refuses what links would lead to.

    :raises FileSetError: when there is no such user, or this process may not become it.
    """
    if user is None:
        yield
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise FileSetError(f"there is no user {user!r} on this host") from None
    if os.geteuid() == entry.pw_uid:
        yield
        return
    groups, group, owner = os.getgroups(), os.getegid(), os.geteuid()
    try:
        os.initgroups(user, entry.pw_gid)
        os.setegid(entry.pw_gid)
        os.seteuid(entry.pw_uid)
    except OSError as error:
        raise FileSetError(f"files of user {user!r} can be written as root or as that user only") from error
    try:
        yield
    finally:
        os.seteuid(owner)
        os.setegid(group)
        os.setgroups(groups)


def _apply(file: File) -> None:
    if file.content is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file.path)
        return
    os.makedirs(os.path.dirname(file.path), mode=0o755, exist_ok=True)
    _put(os.path.realpath(file.path), file.content, file.mode)


def _read(path: str) -> tuple[bytes | None, int | None]:
    """Return content and permissions of a file, None when it is not there."""
    try:
        # O_NONBLOCK: a named pipe in place of a file must not stop us
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise FileSetError(f"{path} is no regular file: remove it, or name another one")
            return file.read(), mode & 0o7777
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise FileSetError(f"{path} cannot be read: {error.strerror}") from error


def _put(path: str, content: bytes, mode: int) -> None:
    """Write a file beside its place and move it there; owner, permissions and label of one that exists are kept."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            if os.path.exists(path):
                _keep_attributes(path, temporary)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def _keep_attributes(path: str, temporary: str) -> None:
    shutil.copystat(path, temporary)  # extended attributes too, among them SELinux's label
    os.utime(temporary)
    there = os.stat(path)
    try:
        os.chown(temporary, there.st_uid, there.st_gid)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
