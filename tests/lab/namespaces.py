# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running something inside a lab's or a guest's namespaces from outside of them."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

CLONE_NEWNET = 0x40000000
Result = TypeVar("Result")


def _enter_network(pid: int) -> None:
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), f"network namespace of process {pid}")
    finally:
        os.close(handle)


def in_network_of(pid: int, work: Callable[[], Result]) -> Result:
    """Call `work` in the network namespace of a process, in a thread of its own; the rest of this process stays.

    Sockets that `work` makes and returns keep belonging to that network.
    """
    done: list[Result] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            _enter_network(pid)
            done.append(work())
        except BaseException as problem:
            failed.append(problem)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def listen_in(pid: int, address: str, port: int = 0) -> socket.socket:
    """A listening TCP socket in the network of a process; port 0 takes a free one."""
    return in_network_of(pid, lambda: socket.create_server((address, port), backlog=64))


def ids(pid: int) -> dict[str, str]:
    """The namespaces of a process that outlive nobody: {kind: "kind:[inode]"}."""
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("mnt", "net", "pid")}


def child_of(pid: int) -> int | None:
    """The first child of a process, by its number out here."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else None
