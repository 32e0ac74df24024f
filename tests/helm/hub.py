# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for a model hub: the list of a repository's files, their checksums in headers, and a second server that has the
large files, to which the first redirects. It can break connections and give wrong bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


class Hub:
    """`files` is `{name: bytes}` of the one repository that it has, `p/q`. `seen` is what the two servers were asked."""

    def __init__(self, files: dict[str, bytes], token: str | None = None) -> None:
        self.files = files
        self.token = token
        self.seen: list[str] = []
        self.tokens_of_store: list[str | None] = []
        # Of the next downloads, the number of bytes after which the connection breaks
        self.breaks: list[int] = []
        self.resumes = True
        self.corrupt = False
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, store)) for store in (False, True)]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.url, self.store = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)

    def downloads(self) -> list[str]:
        return [line for line in self.seen if line.startswith("store GET")]

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _handler(hub: Hub, store: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, status: int, data: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def _handle(self) -> None:
            where = "store" if store else "hub"
            hub.seen.append(f"{where} {self.command} {self.path} {self.headers.get('Range', '')}".strip())
            if store:
                hub.tokens_of_store.append(self.headers.get("Authorization"))
                return self._file()
            if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                return self._answer(401)
            if self.path.startswith("/api/models/p/q/tree/main?"):
                tree = [{"type": "file", "oid": "1", "size": len(d), "path": n} for n, d in hub.files.items()]
                return self._answer(200, json.dumps(tree, separators=(",", ":")).encode())
            found = re.fullmatch(rf"/p/q/resolve/(?:main|{COMMIT})/(.*)", self.path)
            if not found or found[1] not in hub.files:
                return self._answer(404)
            digest = sha256(hub.files[found[1]])
            headers = {"X_Linked_ETag": f'"{digest}"', "X_Repo_Commit": COMMIT, "Location": f"{hub.store}/{found[1]}"}
            return self._answer(302, **headers)

        do_GET = do_HEAD = _handle  # noqa: N815

        def _file(self) -> None:
            data = hub.files[self.path.removeprefix("/")]
            if hub.corrupt:
                data = bytes(reversed(data))
            begin = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
            if begin and not hub.resumes:
                begin = 0
            if begin >= len(data):
                return self._answer(416)
            end = hub.breaks.pop(0) if hub.breaks else len(data)
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(data) - begin))
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            self.wfile.write(data[begin:end])
            self.close_connection = end < len(data)
            return None

    return Handler
