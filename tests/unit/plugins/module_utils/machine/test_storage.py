# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders of models: real ones, and what is measured on them."""

from __future__ import annotations

import os

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.machine import disk_speed, measure, storage
from ansible_collections.prositronic.infra.tests.unit.hosts.tree import Tree

MIB = 2**20


@pytest.fixture
def small(monkeypatch):
    """Small blocks and files, for speed."""
    monkeypatch.setattr(disk_speed, "_BLOCK_BYTES", MIB)
    monkeypatch.setattr(disk_speed, "_LEAST_BYTES", 4 * MIB)
    monkeypatch.setattr(disk_speed, "_WRITTEN_BYTES", 8 * MIB)


def test_a_folder_that_is_not_there_yet_has_the_room_of_its_parent(tmp_path):
    path = str(tmp_path / "not" / "there")
    [entry], problems = storage.read(Tree(tmp_path).files, [path])
    room = os.statvfs(tmp_path)
    assert problems == []
    assert entry["path"] == path
    assert entry["total_bytes"] == room.f_blocks * room.f_frsize
    assert 0 < entry["free_bytes"] <= entry["total_bytes"]
    assert not os.path.exists(path)


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path):
    tree = Tree(tmp_path / "host")
    models = tmp_path / "my models"
    models.mkdir()
    tree.write(
        "/proc/self/mountinfo",
        "1 0 0:1 / / rw - ext4 /dev/a rw\n"
        f"2 1 0:2 / {tmp_path} rw - xfs /dev/b rw\n"
        f"3 2 0:3 / {str(models).replace(' ', chr(92) + '040')} rw shared:1 - nfs4 server:/models rw\n"
        f"4 2 0:4 / {tmp_path}/my rw - tmpfs none rw\n"
        "5 1 0:5 / / rw - overlay none rw\n",
    )
    assert storage.read(tree.files, [str(models)])[0][0]["filesystem"] == "nfs4"
    assert storage.read(tree.files, [str(tmp_path)])[0][0]["filesystem"] == "xfs"


def test_reads_are_measured_on_the_largest_file(tmp_path, small):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.gguf").write_bytes(os.urandom(5 * MIB))
    before = sorted(os.listdir(tmp_path / "models"))
    try:
        figure = disk_speed.measure(str(tmp_path), 0.05)
    except OSError as error:
        pytest.skip(f"the file system of {tmp_path} has no reads past the cache (O_DIRECT): {error}")
    assert figure > 0
    assert sorted(os.listdir(tmp_path / "models")) == before


def test_a_file_with_holes_is_not_measured(tmp_path, small):
    with open(tmp_path / "hole.gguf", "wb") as file:
        file.truncate(64 * MIB)
    assert disk_speed._largest_file(str(tmp_path)) is None


def test_an_empty_folder_is_measured_on_a_file_without_a_name(tmp_path, small):
    folders = [{"path": str(tmp_path), "read_bytes_per_second": None, "source": None}]
    entries, problems = measure.storage(folders, 0.05)
    if problems:
        pytest.skip(f"the file system of {tmp_path} cannot do it: {problems[0]}")
    assert entries[0]["read_bytes_per_second"] > 0
    assert entries[0]["source"] == "measured"
    assert os.listdir(tmp_path) == []


def test_no_room_is_a_problem_and_no_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_speed, "_WRITTEN_BYTES", 2**60)
    folders = [{"path": str(tmp_path), "read_bytes_per_second": None, "source": None}]
    entries, [problem] = measure.storage(folders, 0.05)
    assert entries == folders
    assert "no room to write one" in problem
