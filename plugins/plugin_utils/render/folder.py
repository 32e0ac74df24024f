# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder of generated files: what changes is written, and what an earlier run wrote and nobody wants any more goes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
from pathlib import Path

from ..contract.base import ContractError


@contextlib.contextmanager
def writable(dest: str) -> t.Iterator[None]:
    """Say of the block's refusals by the system that they are about `dest`.

    :raises ContractError: it is no folder that may be written to.
    """
    if not dest or "\0" in dest:
        raise ContractError("dest: give the folder to write to")
    try:
        yield
    except OSError as error:
        raise ContractError(
            f"dest: {error.filename or dest} cannot be written ({error.strerror}); give a folder that may be written to"
        ) from None


def write(path: Path, text: str, check: bool) -> bool:
    """Write a file whole or not at all, and only if its content changes; say whether it does.

    :param check: only say it.
    """
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    if check:
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True


def remove(root: Path, paths: set[str], check: bool) -> int:
    """Remove files below `root`, and the folders that this empties; return how many are there."""
    there = [root / path for path in sorted(paths) if (root / path).is_file()]
    for path in there if not check else []:
        path.unlink()
        for folder in path.parents:
            if folder == root or any(folder.iterdir()):
                break
            folder.rmdir()
    return len(there)
