# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is run ends in an answer or in one sentence, within bounds, and leaves no process behind."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import time

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.bounded import Broken, call, run

SHORT = 1.0  # seconds that something broken is given
PATIENCE = 60.0  # an ending that comes later is no ending: tests for bounds, not for speed


@pytest.fixture(autouse=True)
def no_child_is_left():
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.fixture(autouse=True)
def it_ends():
    start = time.monotonic()
    yield
    assert time.monotonic() - start < PATIENCE


def shell(script: str):
    return functools.partial(run, ("/bin/sh", "-c", script))


def gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has reaped yet has."""
    for _attempt in range(200):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] == b"Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def test_a_tool_is_run_without_input_in_the_c_locale(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    result = shell("cat; echo $LC_ALL; echo no >&2; exit 3")(SHORT)
    assert (result.status, result.output, result.error) == (3, b"C\n", b"no\n")
    assert result.text == "no C"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo loading >&2; echo '  Invalid device: CUDA0 ' >&2; echo 'exiting due to error' >&2",
            "Invalid device: CUDA0",
        ),
        ("echo loading >&2; echo no such thing >&2; echo >&2", "no such thing"),
        ("echo an error; exit 3", "exit status 3 without a word"),
        ("printf 'error %0400d' 0 >&2", "error " + "0" * 294),
    ],
)
def test_why_a_tool_failed_is_one_line_of_its_errors(script, reason):
    assert shell(script)(SHORT).reason == reason


def test_a_tool_that_a_signal_ended_tells_so():
    assert shell("kill -ABRT $$")(SHORT).status == -signal.SIGABRT


def test_a_tool_that_is_not_there(tmp_path):
    with pytest.raises(Broken, match="could not be started: No such file"):
        run((str(tmp_path / "no"),), SHORT)


def test_a_tool_that_is_no_program(tmp_path):
    place = tmp_path / "text"
    place.write_text("no program")
    place.chmod(0o755)
    with pytest.raises(Broken, match="could not be started: Exec format"):
        run((str(place),), SHORT)


def test_a_tool_that_hangs_is_ended_with_its_children(tmp_path):
    with pytest.raises(Broken, match=r"did not finish within 1 s"):
        shell(f"sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000")(SHORT)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_tool_that_closes_its_output_and_hangs():
    with pytest.raises(Broken, match=r"did not finish within 1 s"):
        shell("exec >&- 2>&-; sleep 1000")(SHORT)


def test_a_tool_that_prints_without_end():
    with pytest.raises(Broken, match="printed more than 100000 bytes"):
        shell("yes")(PATIENCE, limit=100_000)


def test_a_tool_that_prints_errors_without_end():
    with pytest.raises(Broken, match="printed more than 100000 bytes"):
        shell("yes >&2")(PATIENCE, limit=100_000)


def test_a_child_that_keeps_the_output_open_is_not_waited_for(tmp_path):
    result = shell(f"sleep 1000 & echo $! > {tmp_path}/pid; echo done")(PATIENCE)
    assert result.output == b"done\n"
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_child_in_a_session_of_its_own_is_not_waited_for(tmp_path):
    result = shell(f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 1000' & echo done")(PATIENCE)
    assert result.output == b"done\n"
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.01)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # out of reach for anyone but its maker


def test_what_a_function_returns_comes_back():
    assert call(lambda: {"a": [1, None, "ü"]}, SHORT) == {"a": [1, None, "ü"]}


def test_a_function_runs_elsewhere_and_its_prints_vanish(capfd):
    changed = []

    def work():
        changed.append(1)
        os.write(1, b"printed")
        return os.getpid()

    assert call(work, SHORT) != os.getpid()
    assert changed == []
    assert capfd.readouterr().out == ""


def test_a_function_that_crashes():
    def work():
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # pytest's report of it would be noise here
        ctypes.string_at(0)

    with pytest.raises(Broken, match=r"crashed \(SIGSEGV\)"):
        call(work, SHORT)


def test_a_function_that_raises():
    with pytest.raises(Broken, match=r"failed: ValueError: invalid literal"):
        call(lambda: int("seven"), SHORT)


def test_a_function_that_hangs():
    with pytest.raises(Broken, match=r"did not finish within 1 s"):
        call(lambda: time.sleep(1000), SHORT)


def test_a_function_that_ends_the_process():
    with pytest.raises(Broken, match="failed: no answer"):
        call(lambda: os._exit(0), SHORT)


def test_a_function_that_answers_without_end():
    with pytest.raises(Broken, match="printed more than 1000 bytes"):
        call(lambda: "x" * 100_000, SHORT, limit=1000)


def test_a_function_ends_with_its_caller(tmp_path):
    def caller():
        def work():
            (tmp_path / "pid").write_text(str(os.getpid()))
            (tmp_path / "pid").rename(tmp_path / "worker")
            time.sleep(PATIENCE)

        return call(work, PATIENCE)

    with pytest.raises(Broken):
        call(caller, SHORT)
    assert gone(int((tmp_path / "worker").read_text()))


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_is_refused(seconds):
    with pytest.raises(Broken, match="the timeout has to be more than 0"):
        run(["/bin/true"], seconds)
