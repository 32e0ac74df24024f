# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A shelf on which a job, run as a process, puts files: by themselves, and found by the next run."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.fetch import job, shelf

CONTENT = b"model" * 1000


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "there" / "m-00001-of-00002.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    (path.parent / "m-00002-of-00002.gguf").write_bytes(CONTENT)
    return path


def place(tmp_path, source, method="copy", sha256=None):
    request = {"kind": "path", "source": {"path": str(source), "method": method, "sha256": sha256 or {}}}
    return shelf.Shelf(str(tmp_path / "models"), "small", request)


def run(made, reserve_bytes=0):
    made.start(sys.executable, None, reserve_bytes, as_unit=False)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status = made.status()
        if not status["runs"] and os.path.exists(os.path.join(made.job, "lock")):
            return status
        time.sleep(0.02)
    raise TimeoutError


def test_a_model_of_two_parts_arrives(tmp_path, source):
    made = place(tmp_path, source)
    assert made.manifest() is None
    status = run(made)
    assert status["phase"] == "arrived", status
    made.accept({"files": status["files"], "commit": None})
    manifest = made.manifest()
    assert shelf.model_file(manifest) == "m-00001-of-00002.gguf"
    assert [file["size_bytes"] for file in manifest["files"]] == [5000, 5000]
    assert sorted(os.listdir(made.final)) == [".manifest.json", "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]
    assert not os.path.exists(made.job)
    # A file that somebody has cut short is not what has arrived
    os.truncate(os.path.join(made.final, "m-00002-of-00002.gguf"), 1)
    assert made.manifest() is None


def test_what_all_may_read_tells_no_secrets(tmp_path):
    url = "https://user:SECRET@mirror.example:8443/a/m.gguf?sig=SECRET#SECRET"
    source = {"files": [{"url": url, "path": "m.gguf", "sha256": None}], "endpoint": "https://SECRET@hub.example"}
    made = shelf.Shelf(str(tmp_path), "small", {"kind": "http", "source": source})
    os.makedirs(made.staging)
    made.accept({"files": [], "commit": None})
    with open(os.path.join(made.final, ".manifest.json"), encoding="utf-8") as file:
        text = file.read()
    assert "SECRET" not in text
    told = json.loads(text)["request"]["source"]
    assert told["files"][0]["url"] == "https://mirror.example:8443/a/m.gguf"
    assert told["endpoint"] == "https://hub.example"
    # The same request finds it
    assert shelf.Shelf(str(tmp_path), "small", {"kind": "http", "source": source}).manifest() == json.loads(text)


def test_another_request_has_another_folder(tmp_path, source):
    one, other = place(tmp_path, source), place(tmp_path, source, method="link")
    assert one.final != other.final
    assert os.path.dirname(one.final) == os.path.dirname(other.final)


@pytest.mark.parametrize(
    ("changes", "reserve", "error"),
    [
        ({"sha256": {"m-00002-of-00002.gguf": "0" * 64}}, 0, "m-00002-of-00002.gguf has the sha256 "),
        ({}, 1 << 60, "no room below"),
    ],
)
def test_a_job_that_cannot_go_on_says_why(tmp_path, source, changes, reserve, error):
    made = place(tmp_path, source, **changes)
    status = run(made, reserve)
    assert status["phase"] == "failed"
    assert error in status["error"]
    assert made.manifest() is None


def test_a_job_that_was_killed_is_seen(tmp_path, source):
    made = place(tmp_path, source)
    os.makedirs(made.job)
    with open(os.path.join(made.job, "status.json"), "w", encoding="utf-8") as file:
        json.dump({"phase": "fetching", "bytes": 1, "total_bytes": 2}, file)
    assert "was ended from outside" in made.status()["error"]


def test_one_run_at_a_time_is_alone_with_a_shelf(tmp_path, source):
    made, other = place(tmp_path, source), place(tmp_path, source)
    with (
        made.alone(),
        open(tmp_path / "models" / ".lock", encoding="ascii") as lock,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with other.alone():
        other.start(sys.executable, None, 0, as_unit=False)
        # Whoever comes next knows of it
        assert other._is_running() or other.status()["phase"] == "arrived"


def test_who_looks_whether_a_job_runs_does_not_keep_it_from_running(tmp_path, source):
    made = place(tmp_path, source)
    os.makedirs(made.job)
    with open(os.path.join(made.job, "lock"), "w", encoding="ascii") as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        with open(os.path.join(made.job, "lock"), "w", encoding="ascii") as lock:
            threading.Timer(0.1, fcntl.flock, (looks, fcntl.LOCK_UN)).start()
            assert job._taken(lock)


def test_what_an_instance_serves_is_known(tmp_path, source):
    made = place(tmp_path, source, method="link")
    made.accept({"files": run(made)["files"], "commit": None})
    instances = tmp_path / "state" / "instances"
    instances.mkdir(parents=True)
    # The record of an instance has the real path, not the link
    (instances / "chat.json").write_text(json.dumps({"model": str(source)}))
    assert shelf.in_use([made.final, str(tmp_path)], str(tmp_path / "state"))[made.final] == "chat"
    (instances / "chat.json").write_text(json.dumps({"model": "/elsewhere.gguf"}))
    assert shelf.in_use([made.final], str(tmp_path / "state")) == {}


@pytest.mark.parametrize(
    "record",
    [
        {"models": {"chat": {"model": "/elsewhere.gguf"}, "code": {"model": "FILE"}}},
        {"models": {"chat": None, "eyes": {"model": "/elsewhere.gguf", "launch": {"mmproj": "FILE"}}}},
        {"model": "/elsewhere.gguf", "launch": {"mmproj": "FILE"}},
        {"model": "FILE", "models": ["broken"], "launch": "broken"},
    ],
)
def test_models_of_a_router_and_projectors_are_served_too(tmp_path, record):
    folder = tmp_path / "models" / "key"
    folder.mkdir(parents=True)
    (folder / "m.gguf").write_bytes(CONTENT)
    instances = tmp_path / "state" / "instances"
    instances.mkdir(parents=True)
    (instances / "all.json").write_text(json.dumps(record).replace("FILE", str(folder / "m.gguf")))
    assert shelf.in_use([str(folder)], str(tmp_path / "state")) == {str(folder): "all"}
