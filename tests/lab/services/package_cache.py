# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian's packages for hosts that have no way out: a caching HTTP proxy to the mirror that this machine uses.

A package file and an index named by its hash never change: what was fetched once is kept in the cache folder, where any
number of labs share it. Everything else is asked for anew, and the kept copy is used when the mirror does not answer.
It is a file server, so what a mirror does on a bad day can be played: `cache.fault("*.deb", drop_after_bytes=1000)`.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import tempfile
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from .. import mirror
from ..paths import cache_dir
from .file_server import Answer, Content, FileServer, Request

if TYPE_CHECKING:
    from ..host import Host

FETCH_SECONDS = 30
KEEP_UNUSED_DAYS = 28
UNCHANGING = re.compile(r"/pool/.*\.deb|.*/by-hash/SHA\d+/[0-9a-f]+")


class PackageCache(FileServer):
    """Hosts are told of it by `introduce`; it refuses everything but the mirror."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening)
        self._mirror = urlsplit(mirror.debian_mirror())
        self._folder = cache_dir() / "packages"
        self._folder.mkdir(exist_ok=True)
        proxy = mirror.apt_proxy()
        self._upstream = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy} if proxy else {}))
        self._remove_unused()

    def _remove_unused(self) -> None:
        oldest = time.time() - KEEP_UNUSED_DAYS * 86400
        for path in self._folder.rglob("*"):
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def introduce(self, host: Host) -> None:
        """Tell a host's apt to fetch from the mirror's host through the cache; other repositories stay direct."""
        line = f'Acquire::http::Proxy::{self._mirror.hostname} "{self.url}";\n'
        host.write("/etc/apt/apt.conf.d/90lab-package-cache", line)

    def answer(self, request: Request) -> Answer:
        """The file from the cache or the mirror."""
        path = request.path
        if request.host != self._mirror.netloc or not path.startswith(f"{self._mirror.path}/"):
            return Answer(HTTPStatus.FORBIDDEN)
        kept = self._folder / path.lstrip("/")
        if not (kept.is_file() and UNCHANGING.search(path)):
            status = self._fetch(path, kept)
            if status != HTTPStatus.OK:
                return Answer(status)
        os.utime(kept)
        return Answer(content=Content(kept, "", kept.stat().st_size))

    def _fetch(self, path: str, kept: Path) -> int:
        """Bring a file into the cache, whole or not at all; returns the status to answer with."""
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkstemp(prefix=".", dir=kept.parent)[1])
        try:
            url = f"{self._mirror.scheme}://{self._mirror.netloc}{quote(path, safe='/+~:')}"
            with self._upstream.open(url, timeout=FETCH_SECONDS) as source, partial.open("wb") as target:
                shutil.copyfileobj(source, target)
                expected = source.headers.get("Content-Length")
            if expected is not None and partial.stat().st_size != int(expected):
                return HTTPStatus.BAD_GATEWAY
            partial.rename(kept)
            return HTTPStatus.OK
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return refusal.code
        except (OSError, http.client.HTTPException):
            return HTTPStatus.OK if kept.is_file() else HTTPStatus.BAD_GATEWAY
        finally:
            partial.unlink(missing_ok=True)
