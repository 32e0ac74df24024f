# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files by HTTP, from a mirror. A download that broke goes on where it stopped, as long as the file is the same."""

from __future__ import annotations

import contextlib
import http.client
import os
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from .parts import FetchError, Part

_SECONDS = 60.0
_TRIES = 5
_PAUSE_SECONDS = 1.0
_CHUNK_BYTES = 1 << 20


class HttpSource:
    """`files` are `{url, sha256, path}`; `token` is sent as a bearer token to the host of each URL, and to no other."""

    def __init__(self, files: t.Sequence[dict[str, t.Any]], token: str | None) -> None:
        self._files = {file["path"]: file for file in files}
        self._token = token
        self._opener = urllib.request.build_opener(_KeepToken())

    def parts(self) -> list[Part]:
        return [
            Part(path, self._size(file["url"]), (file.get("sha256") or "").lower() or None)
            for path, file in self._files.items()
        ]

    def fetch(self, part: Part, target: str) -> None:
        url = self._files[part.path]["url"]
        failures = 0
        while part.size_bytes is None or _size(target) < part.size_bytes:
            before = _size(target)
            try:
                self._go_on(url, target)
                return
            except urllib.error.HTTPError as refusal:
                if refusal.code < 500:
                    raise FetchError(f"{shown(url)} answers {refusal.code} ({refusal.reason})") from refusal
                problem: Exception = refusal
            except (OSError, EOFError) as broken:
                if isinstance(broken, OSError) and broken.errno is not None and broken.filename == target:
                    raise  # of this disk, not of the line
                problem = broken
            # Only tries that brought nothing count
            failures = failures + 1 if _size(target) <= before else 0
            if failures >= _TRIES:
                raise FetchError(f"{shown(url)} broke off {_TRIES} times in a row: {problem}") from problem
            time.sleep(_PAUSE_SECONDS * 2**failures)

    def _go_on(self, url: str, target: str) -> None:
        """Fetch what is missing of a file.

        :raises EOFError: the line broke before the end.
        """
        there = _size(target)
        tag = _read(f"{target}.etag")
        headers = {"Range": f"bytes={there}-", "If-Range": tag} if there and tag else {}
        with self._open(url, headers) as answer:
            resumed = answer.status == 206
            if not resumed:
                _write(f"{target}.etag", answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
            wanted = answer.headers.get("Content-Length")
            got = 0
            with _opened(target, "ab" if resumed else "wb") as file:
                while True:
                    chunk = answer.read(_CHUNK_BYTES)
                    if not chunk:
                        break
                    _put(file, chunk, target)
                    got += len(chunk)
            if wanted is not None and got < int(wanted):
                raise EOFError(f"{got} of {wanted} bytes came")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{target}.etag")

    def _size(self, url: str) -> int | None:
        try:
            with self._open(url, {}, "HEAD") as answer:
                length = answer.headers.get("Content-Length")
                return int(length) if length else None
        except urllib.error.HTTPError as refusal:
            if refusal.code in (405, 501):
                return None
            raise FetchError(f"{shown(url)} answers {refusal.code} ({refusal.reason})") from refusal
        except OSError as problem:
            raise FetchError(f"{shown(url)} cannot be reached: {getattr(problem, 'reason', problem)}") from problem

    def _open(self, url: str, headers: dict[str, str], method: str = "GET") -> t.Any:
        given = {"Accept-Encoding": "identity", **headers}
        if self._token:
            given["Authorization"] = f"Bearer {self._token}"
        try:
            return self._opener.open(urllib.request.Request(url, headers=given, method=method), timeout=_SECONDS)
        except http.client.InvalidURL:
            # Its text would repeat the password
            raise FetchError(
                f"{shown(url)} cannot be asked for: a URL has no user and password (give a token), and no spaces"
            ) from None


class _KeepToken(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and leaves the token behind where they lead to another host, or to the same one by another scheme."""

    def redirect_request(self, req: t.Any, fp: t.Any, code: int, msg: str, headers: t.Any, newurl: str) -> t.Any:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            following.method = req.get_method()
            if urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
                following.remove_header("Authorization")
        return following


def shown(url: str) -> str:
    """Return a URL without what may be secret in it: user, password, query."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _opened(path: str, mode: str) -> t.Any:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return open(path, mode)


def _put(file: t.Any, chunk: bytes, path: str) -> None:
    try:
        file.write(chunk)
        file.flush()
    except OSError as problem:
        problem.filename = path
        raise


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _read(path: str) -> str:
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


def _write(path: str, text: str) -> None:
    with _opened(path, "w") as file:
        file.write(text)
