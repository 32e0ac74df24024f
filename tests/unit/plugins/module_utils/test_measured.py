# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured on a host is kept there, one run of each kind, and is read back as it was written."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils import measured
from ansible_collections.prositronic.infra.tests.unit.hosts.tree import Tree

STATE = "/var/lib/prositronic"
RUN = {
    "measured_at": "2026-11-22T02:35:26Z",
    "source": "llama-bench",
    "engine": {"version": "0.7.0", "build": 11669},
    "model": {"parameters": 5, "bytes": 20},
    "launch": {"ctx_size": 4096},
}


@pytest.fixture
def files(tmp_path):
    return Tree(tmp_path).files


def test_nothing_is_kept_at_first(files):
    assert measured.read(files, STATE) == (None, [])


def test_what_is_saved_is_read_back(files):
    value = measured.with_run(None, RUN)
    measured.save(files, STATE, value)
    assert measured.read(files, STATE) == ({"schema": 1, "runs": [RUN]}, [])


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ({"measured_at": "2026-11-23T00:00:00Z"}, 1),
        ({"rates": []}, 1),
        ({"source": "llama-server"}, 2),
        ({"engine": {"version": "0.7.0", "build": 11670}}, 2),
        ({"launch": {"ctx_size": 8192}}, 2),
    ],
)
def test_a_run_takes_the_place_of_one_of_the_same_kind(changed, left):
    value = measured.with_run(measured.with_run(None, RUN), RUN | changed)
    assert len(value["runs"]) == left
    assert value["runs"][-1] == RUN | changed


def test_the_oldest_go_when_there_are_many():
    value = None
    for context in range(1, 151):
        value = measured.with_run(value, RUN | {"launch": {"ctx_size": context}})
    assert [run["launch"]["ctx_size"] for run in value["runs"]] == list(range(51, 151))


def test_the_file_never_becomes_too_large_to_be_read(files):
    value = None
    for context in range(1, 30):
        value = measured.with_run(value, RUN | {"launch": {"ctx_size": context, "override_tensor": ["x" * 100_000]}})
    measured.save(files, STATE, value)
    kept, problems = measured.read(files, STATE)
    assert problems == []
    assert kept["runs"][-1]["launch"]["ctx_size"] == 29
    assert len(kept["runs"]) > 5


def test_an_instance_is_forgotten_and_the_file_with_the_last_run(files):
    value = measured.with_run(measured.with_run(None, RUN), RUN | {"source": "llama-server", "instance": "chat"})
    measured.save(files, STATE, value)
    measured.forget(files, STATE, "chat")
    assert measured.read(files, STATE)[0]["runs"] == [RUN]
    measured.save(files, STATE, {"schema": 1, "runs": value["runs"][1:]})
    measured.forget(files, STATE, "chat")
    measured.forget(files, STATE, "chat")
    assert files.names(STATE) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"runs": []}', b'{"schema": 2, "runs": []}', b'{"schema": 1, "runs": [1]}', b'{"schema": 1}'],
)
def test_a_file_of_another_form_is_a_problem(tmp_path, content):
    tree = Tree(tmp_path)
    tree.write(measured.path(STATE), content)
    value, [problem] = measured.read(tree.files, STATE)
    assert value is None
    assert problem.startswith(f"{STATE}/measured.json ")
    assert "delete it" in problem
