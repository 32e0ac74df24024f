# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that outlives a test by a moment, to take its lab down: `python -m lab.keeper STATE_FOLDER`.

Everything a lab runs lives in one pid, mount and network namespace whose first process is a child of the keeper. When it
dies, the kernel kills the rest and takes mounts and networks with it. The keeper ends it when its standard input does: the
test holds the other end, so a test that is killed takes its lab down too. Should the keeper be killed, the first process
dies with it, and what is left (empty cgroups, a folder) is swept by the next lab's start or by `tests/lab/run down --all`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import cgroups, namespaces
from .paths import state_dir

GATEWAY = "10.97.0.1"
NETWORK_BITS = 16
BRIDGE = "lab0"

# First process in the namespaces. SIGCHLD stays ignored across exec: orphans are reaped by the kernel. Forwarding without
# a route answers "network unreachable" at once to a guest that asks for an address outside, where a lost packet would hang.
# systemd-nspawn keeps folders named after its guests below /run/systemd.
FIRST_PROCESS = f"""
mkdir -p /run/systemd
mount -t tmpfs -o mode=0755 tmpfs /run/systemd
ip link set lo up
ip link add {BRIDGE} type bridge
ip addr add {GATEWAY}/{NETWORK_BITS} dev {BRIDGE}
ip link set {BRIDGE} up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
trap '' CHLD
exec sleep infinity
"""


def try_lock(lease: Path) -> int | None:
    """Lock a lease file; None while its lab lives."""
    handle = os.open(lease, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def clean(state: Path) -> None:
    """Remove what outlives the processes of a lab: its cgroups, then its folder."""
    cgroups.remove_lab(state.name)
    _wait_for_loop_devices(state)
    shutil.rmtree(state, ignore_errors=True)


def _wait_for_loop_devices(state: Path, patience_seconds: float = 5.0) -> None:
    """Unmounting is not instant when the last process of a mount namespace dies."""
    deadline = time.monotonic() + patience_seconds
    while loop_devices(state) and time.monotonic() < deadline:
        time.sleep(0.02)


def loop_devices(state: Path) -> list[str]:
    """Loop devices whose file lies in a lab's folder."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            file = backing.read_text(encoding="utf-8").strip()
        except OSError:
            continue  # gone since it was listed
        if file.startswith(f"{state}/"):
            found.append(backing.parts[3])
    return found


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Between making a lab's folder and locking its lease nobody may take it for a dead one."""
    with (state_dir() / ".lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep() -> list[str]:
    swept = []
    for state in sorted(folder for folder in state_dir().iterdir() if folder.is_dir()):
        handle = try_lock(state / "lease")
        if handle is not None:
            clean(state)
            os.close(handle)
            swept.append(state.name)
    return swept


def sweep() -> list[str]:
    """Clean up after labs whose keeper was killed; returns their names. Living labs are not touched."""
    with _alone():
        return _sweep()


def _claim(state: Path) -> int:
    with _alone():
        _sweep()
        state.mkdir(mode=0o700)
        lease = try_lock(state / "lease")
    assert lease is not None  # nobody else knows the name
    return lease


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process and wait for the kernel to have killed the rest: unshare reports its child's end."""
    first = namespaces.child_of(process.pid)
    if first is None:
        process.kill()
    else:
        os.kill(first, signal.SIGKILL)
    process.wait()


def main(state: Path) -> int:
    """Keep one lab until standard input ends, SIGTERM comes, or its first process dies."""
    lease = _claim(state)
    stop_read, stop_write = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(stop_write, b"."))
    process = subprocess.Popen(
        [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount",
            "--net",
            "--propagation",
            "slave",
            "--mount-proc",
            "sh",
            "-euc",
            FIRST_PROCESS,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        pass_fds=[lease],
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            return 1
        first = namespaces.child_of(process.pid)
        assert first is not None
        facts = {"keeper": os.getpid(), "first": first, "namespaces": namespaces.ids(first)}
        os.write(lease, json.dumps(facts).encode())
        print(json.dumps(facts), flush=True)
        ended = os.pidfd_open(process.pid)
        select.select([sys.stdin, stop_read, ended], [], [])
        return 0
    finally:
        _end(process)
        clean(state)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
