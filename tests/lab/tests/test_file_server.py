# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file server as curl on a host sees it: whole, in part, changed, slow, broken."""

from __future__ import annotations

import hashlib
import os
import time

import pytest

BODY = os.urandom(500_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(scope="module")
def host(module_lab):
    return module_lab.host("client")


@pytest.fixture
def files(module_lab, host):
    host.run("rm -rf /srv/*")
    server = module_lab.file_server()
    server.publish("/models/a.gguf", BODY)
    return server


def curl(host, *arguments, must_pass=True):
    return host.run(["curl", "--silent", "--show-error", "--fail", *arguments], must_pass=must_pass)


def sha256(host, path):
    return host.run(["sha256sum", path]).stdout.split()[0]


def test_a_file_arrives_whole(host, files):
    curl(host, "--output", "/srv/a", f"{files.url}/models/a.gguf")
    assert sha256(host, "/srv/a") == SHA256
    assert [each.path for each in files.asked()] == ["/models/a.gguf"]


def test_what_is_not_there_is_404(host, files):
    assert "404" in curl(host, f"{files.url}/models/b.gguf", must_pass=False).stderr
    files.withdraw("/models")
    assert "404" in curl(host, f"{files.url}/models/a.gguf", must_pass=False).stderr


def test_an_unchanged_file_is_not_sent_again(host, files):
    answer = curl(host, "--head", f"{files.url}/models/a.gguf").stdout
    assert f'ETag: "{SHA256}"' in answer
    again = curl(host, "--head", "--header", f'If-None-Match: "{SHA256}"', f"{files.url}/models/a.gguf").stdout
    assert again.startswith("HTTP/1.1 304")


def test_a_dropped_download_resumes_where_it_broke(host, files):
    files.fault("*.gguf", drop_after_bytes=200_000)
    broken = curl(host, "--output", "/srv/a", f"{files.url}/models/a.gguf", must_pass=False)
    assert broken.exit_code == 18  # a partial file
    assert host.run("stat -c %s /srv/a").stdout == "200000\n"
    curl(host, "--continue-at", "-", "--output", "/srv/a", f"{files.url}/models/a.gguf")
    assert sha256(host, "/srv/a") == SHA256
    assert [(each.status, each.sent_bytes) for each in files.asked()] == [(200, 200_000), (206, 300_000)]


def test_a_server_may_not_be_able_to_resume(host, files):
    files.fault("*.gguf", ignore_range=True)
    host.run("head -c 100 /dev/zero > /srv/a")
    done = curl(host, "--continue-at", "-", "--output", "/srv/a", f"{files.url}/models/a.gguf", must_pass=False)
    assert done.exit_code == 33  # range requests are not supported


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-9", 206, BODY[:10]),
        ("bytes=499990-", 206, BODY[-10:]),
        ("bytes=-10", 206, BODY[-10:]),
        ("bytes=10-999999", 206, BODY[10:]),
        ("bytes=500000-", 416, b""),
        ("bytes=-", 200, BODY),
        ("lines=1-2", 200, BODY),
    ],
)
def test_ranges(module_lab, files, asked, status, expected):
    assert module_lab.get(f"{files.url}/models/a.gguf", {"Range": asked}) == (status, expected)


def test_a_range_of_a_file_that_changed_is_the_whole_file(module_lab, files):
    changed = {"Range": "bytes=10-", "If-Range": '"another"'}
    assert module_lab.get(f"{files.url}/models/a.gguf", changed) == (200, BODY)
    same = {"Range": "bytes=10-", "If-Range": f'"{SHA256}"'}
    assert module_lab.get(f"{files.url}/models/a.gguf", same) == (206, BODY[10:])


def test_a_flipped_byte_keeps_the_length(module_lab, files):
    files.fault(flip_byte=123_456)
    _, body = module_lab.get(f"{files.url}/models/a.gguf")
    assert [offset for offset in range(len(BODY)) if body[offset] != BODY[offset]] == [123_456]


def test_a_slow_file_is_slow(module_lab, files):
    files.publish("/small", BODY[:2_000])
    files.fault("/small", bytes_per_second=2_000)
    began = time.monotonic()
    module_lab.get(f"{files.url}/small")
    assert time.monotonic() - began >= 0.9  # a sleep cannot be shorter than asked for


def test_faults_are_used_up(module_lab, files):
    files.fault(status=502, times=2)
    statuses = [module_lab.get(f"{files.url}/models/a.gguf")[0] for _ in range(3)]
    assert statuses == [502, 502, 200]


def test_down_and_up_again(module_lab, files):
    with files.down():
        assert module_lab.get(f"{files.url}/models/a.gguf")[0] == 503
    assert module_lab.get(f"{files.url}/models/a.gguf")[0] == 200


def test_a_token_is_asked_for(module_lab, files):
    files.token = "stand-in-token"
    assert module_lab.get(f"{files.url}/models/a.gguf")[0] == 401
    assert module_lab.get(f"{files.url}/models/a.gguf", {"Authorization": "Bearer stand-in-token"}) == (200, BODY)


def test_a_folder_is_published_with_all_below_it(module_lab, files, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("here", encoding="ascii")
    url = files.publish("/tree", tmp_path)
    assert module_lab.get(f"{url}/deep/file") == (200, b"here")
