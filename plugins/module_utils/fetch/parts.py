# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job fetches: files with their sizes, and what they must hash to; and how a job says that it cannot go on."""

from __future__ import annotations

import typing as t

GIB = 1 << 30


class FetchError(Exception):
    """The job cannot go on; the text is one sentence for the person who asked. What has arrived is kept."""


class Part(t.NamedTuple):
    """One file. `path` is its place below the staging folder; size and sha256 are None where the source tells neither.

    `exact` is false where the size is an estimate, for the room on the disk only.
    """

    path: str
    size_bytes: int | None
    sha256: str | None
    exact: bool = True


class Source(t.Protocol):
    """Where files come from. Both methods raise FetchError."""

    def parts(self) -> list[Part]:
        """Return the files, without fetching them."""

    def fetch(self, part: Part, target: str) -> None:
        """Bring one file to `target`, going on from what lies there or beside it already."""
