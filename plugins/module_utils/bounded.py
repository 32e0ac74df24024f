# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run what may hang, crash or never stop talking, within bounds of time and memory.

Vendor tools hang for minutes when a GPU has fallen off the bus, and vendor libraries take the process that loaded them
with them when they crash. Both therefore run in a process of their own, which is ended with everything it started.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import time
import typing as t

LIMIT_BYTES = 8 * 2**20
_KILL_SECONDS = 1.0
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1
_TELLING = ("error", "fail", "invalid")
_REASON_LENGTH = 300


class Broken(Exception):
    """What was run gave no usable answer; the text is a predicate such as "did not finish within 10 s"."""


class Result(t.NamedTuple):
    """What a tool answered: `status` is its exit code, negative for a signal."""

    status: int
    output: bytes
    error: bytes

    @property
    def text(self) -> str:
        """Everything it said, for a person: errors first, one line."""
        return " ".join((self.error + b" " + self.output).decode("utf-8", "replace").split())

    @property
    def reason(self) -> str:
        """Why it failed: the first line of its errors that speaks of one, else the last one, else its exit status."""
        lines = [line.strip() for line in self.error.decode("utf-8", "replace").splitlines() if line.strip()]
        telling = (line for line in lines if any(word in line.lower() for word in _TELLING))
        return next(telling, lines[-1] if lines else f"exit status {self.status} without a word")[:_REASON_LENGTH]


def run(
    argv: t.Sequence[str],
    seconds: float,
    limit: int = LIMIT_BYTES,
    more: t.Mapping[str, str] | None = None,
    watch: t.Callable[[int], None] | None = None,
) -> Result:
    """Run a tool without shell and input, in the C locale, and return what it printed.

    :param more: variables of its environment, beside those of this process.
    :param watch: called with the number of its process again and again while it runs.
    :raises Broken: it could not be started, was not done after `seconds`, or printed more than `limit` bytes.
    """
    if not seconds > 0:  # not a number neither
        raise Broken(f"was given {seconds:g} s: the timeout has to be more than 0")
    environment = {**os.environ, "LC_ALL": "C", **(more or {})}

    def become_the_tool(output: int, error: int, refusal: int) -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores
        os.dup2(output, 1)
        os.dup2(error, 2)
        try:
            os.execve(argv[0], list(argv), environment)
        except OSError as failure:
            os.write(refusal, str(failure.strerror).encode())

    status, (output, error, refusal) = _child(become_the_tool, 3, seconds, limit, watch)
    if refusal:
        raise Broken(f"could not be started: {refusal.decode()}")
    return Result(status, output, error)


def call(function: t.Callable[[], t.Any], seconds: float, limit: int = LIMIT_BYTES) -> t.Any:
    """Return what `function` returns (JSON data), computed in a child process.

    :raises Broken: the child crashed, raised, was not done after `seconds`, or answered more than `limit` bytes.
    """

    def answer(writer: int) -> None:
        try:
            value = {"value": function()}
        except Exception as error:  # whatever it is, the caller must learn of it
            value = {"error": f"{type(error).__name__}: {error}"}
        data = memoryview(json.dumps(value).encode())
        while data:
            data = data[os.write(writer, data) :]

    status, (data,) = _child(answer, 1, seconds, limit)
    if status < 0:
        raise Broken(f"crashed ({_signal_name(-status)})")
    value = json.loads(data) if data else {}
    if "value" not in value:
        raise Broken(f"failed: {value.get('error', 'no answer')}")
    return value["value"]


def _child(
    work: t.Callable[..., None],
    pipes: int,
    seconds: float,
    limit: int,
    watch: t.Callable[[int], None] | None = None,
) -> tuple[int, list[bytes]]:
    """Do `work(writer, ...)` in a child with a session of its own; return its status and what came through the pipes."""
    deadline = time.monotonic() + seconds
    ends = [os.pipe() for _pipe in range(pipes)]
    readers, writers = [reader for reader, _writer in ends], [writer for _reader, writer in ends]
    caller = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            _die_with(caller)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):  # what prints must not end up in the module's own answer
                os.dup2(null, stream)
            work(*writers)
        finally:
            os._exit(0)  # never back into the caller's code
    _close(writers)
    try:
        received = _drain(pid, readers, deadline, seconds, limit, watch)
        return _status(pid, deadline, seconds), [bytes(received[reader]) for reader in readers]
    finally:
        _close(readers)
        _end(pid)


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process with the one that started it, so that nothing stays behind."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)  # it has ended already


def _drain(
    pid: int,
    pipes: t.Sequence[int],
    deadline: float,
    seconds: float,
    limit: int,
    watch: t.Callable[[int], None] | None,
) -> dict[int, bytearray]:
    """Read until every pipe is closed, or the process has ended and nothing more comes."""
    buffers = {pipe: bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Broken(f"did not finish within {seconds:.3g} s")
            if watch is not None:
                watch(pid)
            ready = selector.select(min(left, _POLL_SECONDS))
            if not ready and _exited(pid) is not None:
                break  # a child of it lives on and holds the pipe open
            for key, _events in ready:
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fd)
                buffers[key.fd] += chunk
            if sum(len(buffer) for buffer in buffers.values()) > limit:
                raise Broken(f"printed more than {limit} bytes")
    return buffers


def _exited(pid: int) -> int | None:
    """Return the exit code (negative for a signal) of a child that has ended, and leave it unreaped."""
    try:
        info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    if info is None:
        return None
    return info.si_status if info.si_code == os.CLD_EXITED else -info.si_status


def _status(pid: int, deadline: float, seconds: float) -> int:
    """Wait for a child that has closed its pipes."""
    while True:
        status = _exited(pid)
        if status is not None:
            return status
        if time.monotonic() >= deadline:
            raise Broken(f"did not finish within {seconds:.3g} s")
        time.sleep(0.002)


def _end(pid: int) -> None:
    """End a child and its whole session, and reap it; one that sleeps in the kernel is left to it.

    The child is not reaped before, so its number still belongs to its group.
    """
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(0.002)


def _close(handles: t.Iterable[int]) -> None:
    for handle in handles:
        os.close(handle)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
