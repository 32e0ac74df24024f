# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files change together or not at all, and there is a way back from every point at which a run may die."""

from __future__ import annotations

import errno
import json
import os

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.prositronic.infra.plugins.module_utils.bounded import Result
from ansible_collections.prositronic.infra.plugins.module_utils.container_host import file_set, programs
from ansible_collections.prositronic.infra.plugins.modules import config_files


@pytest.fixture
def run(capsys):
    """Run the module with arguments, return whether it passed and its result."""

    def _run(**args):
        with patch_module_args(args), pytest.raises(SystemExit) as ended:
            config_files.main()
        return ended.value.code == 0, json.loads(capsys.readouterr().out)

    return _run


@pytest.fixture
def journal(tmp_path):
    return str(tmp_path / "journal")


class Systemd:
    """Stands in for systemctl: one unit."""

    def __init__(self):
        self.state = "active"
        self.restarts = 0
        self.starts = lambda: True

    def ask(self, _files, name, verb, *_arguments, seconds=None):
        assert name == "systemctl" and verb in ("show", "restart", "reset-failed")
        if verb == "show":
            return Result(
                0, f"LoadState={'loaded' if self.state else 'not-found'}\nActiveState={self.state}".encode(), b""
            )
        if verb == "restart":
            self.restarts += 1
            self.state = "active" if self.starts() else "failed"
        return Result(int(self.state == "failed" and verb == "restart"), b"", b"Job for engine.service failed")


@pytest.fixture(autouse=True)
def systemd(monkeypatch):
    stand_in = Systemd()
    monkeypatch.setattr(programs, "ask", stand_in.ask)
    return stand_in


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_are_written_changed_and_removed(run, tmp_path):
    (tmp_path / "old").write_text("old\n")
    (tmp_path / "gone").write_text("gone\n")
    files = [
        {"path": str(tmp_path / "old"), "content": "new\n"},
        {"path": str(tmp_path / "deep" / "new"), "content": "here\n", "mode": "0600"},
        {"path": str(tmp_path / "gone")},
        {"path": str(tmp_path / "never")},
    ]
    passed, predicted = run(files=files, _ansible_check_mode=True, _ansible_diff=True)
    assert passed and snapshot(tmp_path) == {"old": "old\n", "gone": "gone\n"}
    passed, result = run(files=files, _ansible_diff=True)
    assert passed and snapshot(tmp_path) == {"old": "new\n", "deep/new": "here\n"}
    assert (tmp_path / "deep" / "new").stat().st_mode & 0o777 == 0o600
    assert {key: predicted[key] for key in ("changed", "paths", "diff")} == {
        key: result[key] for key in ("changed", "paths", "diff")
    }
    assert result["paths"] == [file["path"] for file in files[:3]]
    assert [(each["before"], each["after"]) for each in result["diff"]] == [
        ("old\n", "new\n"),
        ("", "(5 bytes, not shown: only the owner of " + files[1]["path"] + " may read it)\n"),
        ("gone\n", ""),
    ]
    assert run(files=files)[1]["changed"] is False


def test_permissions_owner_and_links_are_kept(run, tmp_path):
    real = tmp_path / "real"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link").symlink_to(real)
    assert run(files=[{"path": str(tmp_path / "link"), "content": "new"}])[0]
    assert (tmp_path / "link").is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_program_that_refuses_keeps_everything_as_it_was(run, tmp_path, journal, check_mode):
    (tmp_path / "a").write_text("a")
    files = [
        {"path": str(tmp_path / "a"), "content": "b"},
        {
            "path": str(tmp_path / "c.toml"),
            "content": "c",
            "check": ["sh", "-c", "echo first; echo {file} is bad >&2; exit 1"],
        },
    ]
    passed, result = run(files=files, journal=journal, _ansible_check_mode=check_mode)
    assert not passed
    assert result["msg"] == (
        f"sh refuses what {tmp_path}/c.toml would become, so nothing was changed: {tmp_path}/c.toml is bad"
    )
    assert snapshot(tmp_path) == {"a": "a"}


def test_a_program_sees_the_new_content_under_the_name_of_the_file(run, tmp_path):
    check = ["sh", "-c", 'test "$(cat {file})" = good && test "$(basename {file})" = x.toml']
    path = str(tmp_path / "x.toml")
    assert run(files=[{"path": path, "content": "good", "check": check}])[0]
    assert not run(files=[{"path": path, "content": "bad", "check": check}])[0]
    assert (tmp_path / "x.toml").read_text() == "good"
    # nothing to check, nothing asked
    assert run(files=[{"path": path, "content": "good", "check": ["false"]}])[0]


def test_a_program_that_is_not_installed_is_not_missed(run, tmp_path):
    assert run(files=[{"path": str(tmp_path / "x"), "content": "x", "check": ["/no/such/program", "{file}"]}])[0]


def test_the_way_back(run, tmp_path, journal):
    site = tmp_path / "etc"
    site.mkdir()
    (site / "a").write_text("a")
    files = [{"path": str(site / "a"), "content": "A"}, {"path": str(site / "b"), "content": "B"}]
    run(files=files, journal=journal)
    passed, result = run(state="restored", journal=journal)
    assert passed and result["changed"] is True
    assert snapshot(site) == {"a": "a"}
    assert run(state="restored", journal=journal)[1]["changed"] is False


def test_after_a_second_change_the_way_back_leads_to_what_was_confirmed(run, tmp_path, journal):
    path = tmp_path / "a"
    path.write_text("works")
    for text in ("try 1", "try 2"):  # as after a run that died before the restart
        run(files=[{"path": str(path), "content": text}], journal=journal)
    run(state="restored", journal=journal)
    assert path.read_text() == "works"
    run(files=[{"path": str(path), "content": "try 3"}], journal=journal)
    assert run(state="applied", unit="engine.service", journal=journal)[1]["changed"] is True
    assert run(state="restored", journal=journal)[1]["changed"] is False
    assert path.read_text() == "try 3"


def test_a_unit_that_does_not_start_gets_its_old_files_back(run, tmp_path, journal, systemd):
    path = tmp_path / "a"
    path.write_text("works")
    systemd.starts = lambda: path.read_text() == "works"
    run(files=[{"path": str(path), "content": "breaks"}], journal=journal)
    passed, result = run(state="applied", unit="engine.service", journal=journal)
    assert not passed
    assert result["msg"] == (
        "engine.service did not start with its new configuration and runs with the old one, which was put back:"
        " Job for engine.service failed"
    )
    assert path.read_text() == "works"
    assert systemd.state == "active"
    assert run(state="restored", journal=journal)[1]["changed"] is False


def test_a_unit_that_starts_with_neither(run, tmp_path, journal, systemd):
    path = tmp_path / "a"
    path.write_text("works")
    systemd.starts = lambda: False
    run(files=[{"path": str(path), "content": "breaks"}], journal=journal)
    passed, result = run(state="applied", unit="engine.service", journal=journal)
    assert not passed and "and not with the old one either" in result["msg"]
    assert path.read_text() == "works"


@pytest.mark.parametrize(("state", "restarted"), [("active", True), ("failed", True), ("inactive", False), ("", False)])
def test_only_a_unit_that_shall_run_is_restarted(run, journal, systemd, state, restarted):
    systemd.state = state
    predicted = run(state="applied", unit="engine.service", journal=journal, _ansible_check_mode=True)
    assert (predicted[1]["changed"], systemd.restarts) == (restarted, 0)
    assert run(state="applied", unit="engine.service", journal=journal)[1]["changed"] is restarted
    assert systemd.restarts == restarted


@pytest.mark.parametrize("dies_at", range(1, 5))
def test_a_run_that_dies_can_be_taken_back_or_finished(run, tmp_path, journal, monkeypatch, dies_at):
    """Dies at the n-th file that it puts in place: copies, journal and configuration are all put by one function."""
    site = tmp_path / "etc"
    site.mkdir()
    (site / "a").write_text("a")
    (site / "b").write_text("b")
    files = [{"path": str(site / name), "content": name.upper()} for name in "ab"]
    put, count = file_set._put, iter(range(1, 100))

    def dying(path, content, mode):
        if next(count) == dies_at:
            raise KeyboardInterrupt
        put(path, content, mode)

    monkeypatch.setattr(file_set, "_put", dying)
    with patch_module_args({"files": files, "journal": journal}), pytest.raises(KeyboardInterrupt):
        config_files.main()
    monkeypatch.setattr(file_set, "_put", put)
    assert run(files=files, journal=journal)[0]
    assert snapshot(site) == {"a": "A", "b": "B"}
    run(state="restored", journal=journal)
    assert snapshot(site) == {"a": "a", "b": "b"}


def test_a_file_that_cannot_be_written_takes_the_others_back(run, tmp_path, monkeypatch):
    (tmp_path / "a").write_text("a")
    put = file_set._put

    def full(path, content, mode):
        if path.endswith("/b"):
            raise OSError(errno.ENOSPC, "No space left on device")
        put(path, content, mode)

    monkeypatch.setattr(file_set, "_put", full)
    passed, result = run(files=[{"path": str(tmp_path / name), "content": name.upper()} for name in "ab"])
    assert not passed
    assert result["msg"] == f"{tmp_path}/b could not be written, so nothing was changed: No space left on device"
    assert snapshot(tmp_path) == {"a": "a"}


def test_contents_do_not_come_back_with_the_result(run, tmp_path):
    path = tmp_path / "private"
    path.write_text("old secret")
    path.chmod(0o600)
    passed, result = run(files=[{"path": str(path), "content": "new secret"}], _ansible_diff=True)
    assert passed and "secret" not in json.dumps(result)
    passed, result = run(files=[{"path": str(path), "content": "third secret", "check": ["false"]}])
    assert not passed and "secret" not in json.dumps(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"files": [{"path": "etc/x", "content": ""}]}, "files: 'etc/x' is not an absolute path"),
        ({"files": [{"path": "/x", "mode": "rw"}]}, "files: mode 'rw' of /x is not octal, as '0644' is"),
        ({"files": [{"path": "/x"}], "user": "nobody-at-all"}, "there is no user 'nobody-at-all' on this host"),
        ({"state": "restored"}, "state is restored but all of the following are missing: journal"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(run, arguments, message):
    passed, result = run(**arguments)
    assert (passed, result["msg"]) == (False, message)


@pytest.mark.parametrize("text", ["", "[]", '{"previous": 1}', "{"])
def test_a_damaged_journal_is_named(run, tmp_path, journal, text):
    os.mkdir(journal)
    with open(f"{journal}/journal.json", "w", encoding="utf-8") as file:
        file.write(text)
    passed, result = run(files=[{"path": str(tmp_path / "a"), "content": "a"}], journal=journal)
    assert not passed
    assert f"{journal}/journal.json is damaged" in result["msg"]
    assert not (tmp_path / "a").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give rights up")
def test_a_user_is_not_led_elsewhere_by_a_link(run, tmp_path):
    """daemon.json of a user is written with the user's rights: a link to a file of root's is refused by the kernel."""
    tmp_path.chmod(0o755)
    for folder in list(tmp_path.parents)[:-1]:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    home, precious = tmp_path / "home", tmp_path / "precious"
    home.mkdir()
    precious.mkdir()
    os.chown(home, 65534, 65534)
    (precious / "file").write_text("root's")
    (home / "config").symlink_to(precious)
    passed, _result = run(files=[{"path": str(home / "config" / "file"), "content": "x"}], user="nobody")
    assert not passed
    assert (precious / "file").read_text() == "root's"
    assert run(files=[{"path": str(home / "own" / "file"), "content": "x"}], user="nobody")[0]
    assert (home / "own" / "file").stat().st_uid == 65534
    assert os.geteuid() == 0


def test_a_named_pipe_in_place_of_a_file_is_refused(run, tmp_path):
    path = tmp_path / "daemon.json"
    os.mkfifo(path)
    passed, result = run(files=[{"path": str(path), "content": "{}", "mode": "0644"}])
    assert not passed
    assert result["msg"] == f"{path} is no regular file: remove it, or name another one"
