# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of an instance: in place whole or not at all, private where they have to be, gone when it is."""

from __future__ import annotations

import json
import os
import stat

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.instance.files import InstanceFiles, Setting

OLD, NEW = Setting("[Unit]\n# old\n", None), Setting("[Unit]\n# new\n", "key\n")


@pytest.fixture
def files(tmp_path):
    return InstanceFiles("chat", "/var/lib/prositronic", str(tmp_path))


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_what_is_installed_and_what_passed_are_told_apart(files):
    assert files.installed() is None
    assert not files.exists()
    files.install(OLD)
    files.commit(OLD)
    files.install(NEW)
    assert files.installed() == NEW
    assert files.last_good() == OLD
    files.commit(NEW)
    assert files.last_good() == NEW
    files.install(OLD)
    assert not os.path.exists(files.api_keys)


def test_one_form_takes_the_place_of_the_other(files):
    container = Setting("[Container]\n", None, "quadlet")
    files.install(OLD)
    files.commit(OLD)
    files.install(container)
    # The unit would have come first
    assert files.installed() == container
    assert files.last_good() == OLD
    files.commit(container)
    assert files.last_good() == container
    files.install(OLD)
    assert files.installed() == OLD
    assert not os.path.exists(files.units["quadlet"])


def test_keys_are_private(files):
    files.install(NEW)
    files.commit(NEW)
    assert mode(files.api_keys) == 0o600
    assert mode(os.path.dirname(files.api_keys)) == 0o700
    assert mode(f"{files.good}/api-keys") == 0o600
    assert mode(files.good) == 0o700
    assert mode(files.units["unit"]) == 0o644


def test_nothing_is_left(files, tmp_path):
    files.install(NEW)
    files.commit(NEW)
    files.write_record({"plan_id": "0"})
    files.uninstall()
    left = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file() or "prositronic" in str(path)]
    assert left == []
    assert not files.exists()


def test_other_instances_stay(files, tmp_path):
    other = InstanceFiles("code", "/var/lib/prositronic", str(tmp_path))
    for each in (files, other):
        each.install(NEW)
        each.commit(NEW)
        each.write_record({"plan_id": "0"})
    assert files.others() == ["code"]
    files.uninstall()
    assert (other.installed(), other.last_good()) == (NEW, NEW)
    assert other.others() == []
    with open(other.record, encoding="utf-8") as file:
        assert json.load(file) == {"plan_id": "0"}


def test_a_write_that_fails_leaves_what_was_there(files, monkeypatch):
    files.install(OLD)

    def full(_source, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        files.install(NEW)
    monkeypatch.undo()
    assert files.installed() == OLD
    assert [name for name in os.listdir(os.path.dirname(files.units["unit"])) if name.startswith(".")] == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a/b", ".hidden", "a\n", "a" * 65])
def test_a_name_that_could_be_another_path_is_refused(name):
    with pytest.raises(ValueError, match="name has to be 1 to 64 letters"):
        InstanceFiles(name, "/var/lib/prositronic")
