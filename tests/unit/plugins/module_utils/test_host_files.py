# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the host are read within bounds, whatever they are."""

from __future__ import annotations

import os

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.host_files import Files, integer_set


@pytest.fixture
def files(tmp_path):
    return Files(str(tmp_path))


def test_what_is_not_there_is_none(files):
    assert (files.text("/no"), files.integer("/no"), files.names("/no"), files.link("/no")) == (None, None, [], None)
    assert files.denied == []


def test_no_more_than_the_limit_is_read(files):
    assert len(Files().data("/dev/zero", limit=70_000)) == 70_000


def test_a_pipe_does_not_stop_us(files, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert files.text("/pipe") == ""


def test_a_directory_is_no_file(files):
    assert files.text("/") is None


def test_what_may_not_be_read_is_remembered_once(files, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert files.text("/etc/secret") is None
    assert files.text("/etc/secret") is None
    assert files.denied == ["/etc/secret"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12\n", 12), ("0x1f", 31), ("-1", -1), ("", None), ("x", None), ("1.5", None), ("9" * 5000, None)],
)
def test_a_number(files, tmp_path, text, expected):
    (tmp_path / "number").write_text(text)
    assert files.integer("/number") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0-3,8", [0, 1, 2, 3, 8]), ("", []), (None, []), ("5", [5]), ("3-1", []), ("a-b,2", [2]), ("1-", [1])],
)
def test_a_list_of_the_kernel(text, expected):
    assert integer_set(text) == expected


def test_a_list_is_bounded():
    assert len(integer_set("0-99999999999")) <= 65537
