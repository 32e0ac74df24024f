# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A download by HTTP from a server of this test's own: what is sent to whom, and what is done about lines that break."""

from __future__ import annotations

import http.server
import threading
import urllib.request

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.fetch import mirror as download
from ansible_collections.prositronic.infra.plugins.module_utils.fetch.parts import FetchError, Part

BODY = bytes(range(256)) * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    """Breaks off after 100,000 bytes unless it is asked to go on; leads /redirect to another host."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/file")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/none"):
            self.send_error(404)
            return
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.send_header("ETag", '"one"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(BODY[start:] if start else BODY[:100_000])
            self.close_connection = not start


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.seen = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def source(server, monkeypatch):
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.0)

    def make(path, token=None):
        url = f"http://127.0.0.1:{server.server_port}{path}"
        return download.HttpSource([{"url": url, "path": "file"}], token)

    return make


def test_a_line_that_breaks_is_taken_up_again(server, source, tmp_path):
    made = source("/file")
    assert made.parts() == [Part("file", len(BODY), None)]
    made.fetch(made.parts()[0], str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == BODY
    ranges = [headers.get("Range") for command, _path, headers in server.seen if command == "GET"]
    assert ranges == [None, "bytes=100000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_token_stays_with_its_host(server, source, tmp_path):
    made = source("/redirect", token="secret")
    made.fetch(made.parts()[0], str(tmp_path / "file"))
    assert {path: headers.get("Authorization") for _command, path, headers in server.seen} == {
        "/redirect": "Bearer secret",
        "/file": None,
    }


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        ("https://mirror.example/a", "https://mirror.example/b", True),
        ("https://mirror.example/a", "http://mirror.example/b", False),
        ("http://mirror.example/a", "https://mirror.example/b", False),
        ("https://mirror.example/a", "https://mirror.example:444/b", False),
    ],
)
def test_the_token_stays_with_its_scheme(first, then, kept):
    """Whoever listens on the line would read it otherwise."""
    request = urllib.request.Request(first, headers={"Authorization": "Bearer secret"})
    following = download._KeepToken().redirect_request(request, None, 302, "Found", {}, then)
    assert following.has_header("Authorization") is kept


def test_a_refusal_is_told_without_what_may_be_secret(source):
    with pytest.raises(FetchError, match=r"^http://127.0.0.1:\d+/none answers 404 \(Not Found\)$"):
        source("/none?signature=secret").parts()


@pytest.mark.parametrize("url", ["http://user:SECRET@127.0.0.1/x", "http://127.0.0.1:1/x?sig=SECRET SECRET"])
def test_a_url_that_cannot_be_asked_for_is_told_without_what_may_be_secret(url):
    with pytest.raises(FetchError, match=r"^http://127.0.0.1(:1)?/x cannot be asked for") as refused:
        download.HttpSource([{"url": url, "path": "x"}], None).parts()
    assert "SECRET" not in str(refused.value)


def test_nobody_answers(tmp_path):
    with pytest.raises(FetchError, match="cannot be reached"):
        download.HttpSource([{"url": "http://127.0.0.1:1/x", "path": "x"}], None).parts()
