# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real HTTP server of files, in the test's own process, that breaks when told to.

It answers HEAD and GET with ETag, Last-Modified and byte ranges as nginx does, so that clients can resume.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import http.server
import io
import posixpath
import re
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import parse_qs, unquote, urlsplit

CHUNK_BYTES = 64 << 10
FIRST_MODIFIED = (
    1767225600  # 2026-01-01; each thing published is a second later, for clients that only look at the date
)


@dataclass(frozen=True)
class Content:
    """The bytes of one file: in memory, or in a file that is not copied."""

    source: bytes | Path
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, source: bytes | str | Path) -> Content:
        """Wrap bytes, text or a file."""
        if isinstance(source, Path):
            with source.open("rb") as file:
                return cls(source, hashlib.file_digest(file, "sha256").hexdigest(), source.stat().st_size)
        content = source.encode() if isinstance(source, str) else source
        return cls(content, hashlib.sha256(content).hexdigest(), len(content))

    def open(self) -> BinaryIO:
        """A stream of the bytes."""
        return self.source.open("rb") if isinstance(self.source, Path) else io.BytesIO(self.source)


@dataclass(frozen=True)
class Request:
    """What a client asked for. host: with its port, as a proxy is told. sent_bytes: of the body, as really sent."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    host: str
    status: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True)
class Answer:
    """What to answer: content is sent whole or in the range asked for."""

    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None


@dataclass
class Fault:
    """Something that goes wrong for the next `times` requests (None: all) for paths that match `path`.

    status: answer with this status instead of the file.
    wait_seconds: say nothing for so long first.
    drop_after_bytes: reset the connection after so many bytes of the body.
    bytes_per_second: send the body no faster.
    flip_byte: invert the body's byte at this offset of the file: same length, wrong content.
    ignore_range: send the whole file whatever was asked for, as servers that cannot resume do.
    """

    path: str = "*"
    times: int | None = 1
    method: str = "GET"
    status: int | None = None
    wait_seconds: float = 0
    drop_after_bytes: int | None = None
    bytes_per_second: int | None = None
    flip_byte: int | None = None
    ignore_range: bool = False


NO_FAULT = Fault()


class FileServer:
    """Serves what was published; use `url + path`. Stops when its context ends.

    token: when set, requests without `Authorization: Bearer TOKEN` are answered with 401.
    requests: what clients asked for, in the order they were answered.
    """

    def __init__(self, listening: socket.socket) -> None:
        host, port = listening.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self.token: str | None = None
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._files: dict[str, Content] = {}
        self._modified: dict[str, str] = {}
        self._published = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = _Server(listening, self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def publish(self, path: str, source: bytes | str | Path | Content) -> str:
        """Serve bytes, text or a file (or all files below a folder) at a path; returns its URL."""
        path = "/" + path.strip("/")
        if isinstance(source, Path) and source.is_dir():
            for file in sorted(source.rglob("*")):
                if file.is_file():
                    self.publish(f"{path}/{file.relative_to(source)}", file)
        else:
            self._files[path] = source if isinstance(source, Content) else Content.of(source)
            self._published += 1
            self._modified[path] = formatdate(FIRST_MODIFIED + self._published, usegmt=True)
        return self.url + path

    def withdraw(self, path: str) -> None:
        """Stop serving a path and everything below it."""
        path = "/" + path.strip("/")
        self._files = {
            name: content for name, content in self._files.items() if name != path and not name.startswith(f"{path}/")
        }

    def fault(self, path: str = "*", **what: object) -> Fault:
        """Let something go wrong; options are those of Fault. Faults are used up in the order they were made."""
        fault = Fault(path, **what)  # type: ignore[arg-type]
        self.faults.append(fault)
        return fault

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """With every request answered with 503, for the length of a block."""
        fault = Fault(times=None, method="*", status=HTTPStatus.SERVICE_UNAVAILABLE)
        self.faults.insert(0, fault)
        try:
            yield
        finally:
            self.faults.remove(fault)

    def asked(self, path: str = "*", method: str = "GET") -> list[Request]:
        """Requests for paths that match, in order."""
        with self._lock:
            return [each for each in self.requests if each.method == method and fnmatch.fnmatch(each.path, path)]

    # --- for the handler ------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """What to answer when nothing goes wrong. A server of another kind overrides this."""
        content = self._files.get(request.path)
        if content is None:
            return Answer(HTTPStatus.NOT_FOUND)
        headers = {"ETag": f'"{content.sha256}"', "Last-Modified": self._modified[request.path]}
        return Answer(headers=headers, content=content)

    def is_authorized(self, request: Request) -> bool:
        return self.token is None or request.headers.get("authorization") == f"Bearer {self.token}"

    def next_fault(self, request: Request) -> Fault:
        with self._lock:
            for fault in self.faults:
                if (
                    fault.times != 0
                    and fault.method in ("*", request.method)
                    and fnmatch.fnmatch(request.path, fault.path)
                ):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return NO_FAULT

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the server's end."""
        self._stopping.wait(seconds)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket, files: FileServer) -> None:
        super().__init__(listening.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.files = files


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept in FileServer.requests instead."""

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve()

    def _serve(self) -> None:
        files = self.server.files
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = posixpath.normpath(unquote(parts.path))  # apt asks for stable/./InRelease
        request = Request(self.command, path, parse_qs(parts.query), headers, parts.netloc or headers.get("host", ""))
        fault = files.next_fault(request)
        files.pause(fault.wait_seconds)
        if fault.status is not None:
            answer = Answer(fault.status)
        elif not files.is_authorized(request):
            answer = Answer(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})
        else:
            answer = files.answer(request)
        status, sent = self._send(request, answer, fault)
        files.note(replace(request, status=int(status), sent_bytes=sent))

    def _send(self, request: Request, answer: Answer, fault: Fault) -> tuple[int, int]:
        content = answer.content
        if content is None:
            self.send_response(answer.status)
            self._send_headers({**answer.headers, "Content-Length": "0"})
            return answer.status, 0
        headers = dict(answer.headers)
        status, start, stop = answer.status, 0, content.size_bytes
        if status == HTTPStatus.OK:
            if self._is_unchanged(request, headers):
                self.send_response(HTTPStatus.NOT_MODIFIED)
                self._send_headers(headers)
                return HTTPStatus.NOT_MODIFIED, 0
            headers["Accept-Ranges"] = "bytes"
            wanted = None if fault.ignore_range else _range(request, headers, content.size_bytes)
            if wanted == ():
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self._send_headers({"Content-Range": f"bytes */{content.size_bytes}", "Content-Length": "0"})
                return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0
            if wanted:
                status = HTTPStatus.PARTIAL_CONTENT
                start, stop = wanted
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size_bytes}"
        self.send_response(status)
        self._send_headers({**headers, "Content-Length": str(stop - start)})
        if request.method == "HEAD":
            return status, 0
        return status, self._send_body(content, start, stop, fault)

    def _send_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    @staticmethod
    def _is_unchanged(request: Request, headers: Mapping[str, str]) -> bool:
        known = request.headers.get("if-none-match")
        if known is not None:
            return headers.get("ETag") in [each.strip() for each in known.split(",")]
        return "Last-Modified" in headers and request.headers.get("if-modified-since") == headers["Last-Modified"]

    def _send_body(self, content: Content, start: int, stop: int, fault: Fault) -> int:
        sent = 0
        with content.open() as stream, contextlib.suppress(ConnectionError):
            stream.seek(start)
            while start + sent < stop and not self.server.files._stopping.is_set():
                size = min(CHUNK_BYTES, stop - start - sent)
                if fault.drop_after_bytes is not None:
                    size = min(size, fault.drop_after_bytes - sent)
                    if size <= 0:
                        self._reset_connection()
                        break
                if fault.bytes_per_second is not None:
                    size = min(size, max(1, fault.bytes_per_second // 20))
                    self.server.files.pause(size / fault.bytes_per_second)
                chunk = stream.read(size)
                offset = start + sent
                if fault.flip_byte is not None and offset <= fault.flip_byte < offset + size:
                    spot = fault.flip_byte - offset
                    chunk = chunk[:spot] + bytes([chunk[spot] ^ 0xFF]) + chunk[spot + 1 :]
                self.wfile.write(chunk)
                sent += len(chunk)
        return sent

    def _reset_connection(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _range(request: Request, headers: Mapping[str, str], size_bytes: int) -> tuple[int, int] | tuple[()] | None:
    """Start and end of the range asked for; None to send everything, () when it lies outside the file."""
    matched = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not matched or matched[0] == "bytes=-":
        return None
    condition = request.headers.get("if-range")
    if condition is not None and condition not in (headers.get("ETag"), headers.get("Last-Modified")):
        return None  # the file changed since the client began
    if matched[1] == "":
        start, stop = max(0, size_bytes - int(matched[2])), size_bytes
    else:
        start, stop = int(matched[1]), min(size_bytes, int(matched[2] or size_bytes) + 1)
    return (start, stop) if start < stop else ()
