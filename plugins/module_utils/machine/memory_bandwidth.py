# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast all cores together read memory, as they do with a model's weights for every token.

Each core reads a buffer of its own from end to end with the C library's memchr, looking for a byte that is not there:
a pure read, vectorised in every common libc, outside of Python's lock. The buffers together are far larger than all
caches, and each is first written by the core that reads it, so that it lies in that core's NUMA node.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import threading
import time

from ..host_files import Files, integer_set

_CPUS = "/sys/devices/system/cpu"
_ROUNDS = 10
_CHUNK_BYTES = 16 * 2**20
_LEAST_BYTES = 512 * 2**20
_MOST_BYTES = 8 * 2**30
_CACHES = 4  # buffers are this many times as large as the last level of all caches
_FILL = 0x55


def measure(files: Files, available_bytes: int, seconds: float) -> list[float]:
    """Return the bytes per second of rounds that take `seconds` together, lowest first.

    The highest is what the memory can do; the others are as much lower as other work took from it.

    :raises ValueError: too little memory is free for buffers larger than the caches.
    """
    cpus = one_cpu_per_core(files)
    wanted = min(max(_LEAST_BYTES, _CACHES * _cache_bytes(files)), _MOST_BYTES)
    size = min(wanted, available_bytes // 4) // len(cpus) // mmap.PAGESIZE * mmap.PAGESIZE
    if size * len(cpus) < wanted // 2:
        raise ValueError(f"{wanted // 2**20 * 4} MiB of memory must be available, {available_bytes // 2**20} are")
    return sorted(_Readers(cpus, size).rates(seconds / _ROUNDS))


def one_cpu_per_core(files: Files) -> list[int]:
    """Return the first CPU of each core that this process may use."""
    cores: dict[str, int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = files.text(f"{_CPUS}/cpu{cpu}/topology/thread_siblings_list") or str(cpu)
        cores.setdefault(siblings, cpu)
    return sorted(cores.values())


def _cache_bytes(files: Files) -> int:
    """Return the size of all caches of the last level."""
    caches: dict[str, int] = {}
    for cpu in integer_set(files.text(_CPUS, "online")):
        folder = f"{_CPUS}/cpu{cpu}/cache"
        indexes = [name for name in files.names(folder) if name.startswith("index")]
        if indexes:
            last = f"{folder}/{indexes[-1]}"
            size = (files.text(last, "size") or "").rstrip("K")
            caches[f"{indexes[-1]} {files.text(last, 'shared_cpu_list')}"] = int(size) * 1024 if size.isdigit() else 0
    return sum(caches.values())


class _Readers:
    """One thread per core, reading in step, round by round."""

    def __init__(self, cpus: list[int], size: int) -> None:
        self._size = size
        self._libc = ctypes.CDLL(None)
        self._libc.memchr.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
        self._libc.memchr.restype = ctypes.c_void_p
        self._read = [0] * len(cpus)
        self._failed: list[str] = []
        self._until = 0.0
        self._ended = False
        self._barrier = threading.Barrier(len(cpus) + 1)
        for place, cpu in enumerate(cpus):
            threading.Thread(target=self._run, args=(place, cpu), daemon=True).start()

    def rates(self, seconds: float) -> list[float]:
        """Return the bytes per second of each round."""
        self._barrier.wait()  # buffers are filled
        rates = []
        for _round in range(_ROUNDS):
            start = time.monotonic()
            self._until = start + seconds
            self._barrier.wait()
            self._barrier.wait()
            rates.append(sum(self._read) / (time.monotonic() - start))
        self._ended = True
        self._barrier.wait()
        if self._failed:
            raise ValueError(self._failed[0])
        return rates

    def _run(self, place: int, cpu: int) -> None:
        try:
            os.sched_setaffinity(0, {cpu})  # of this thread alone
            buffer = mmap.mmap(-1, self._size)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                with contextlib.suppress(OSError):
                    buffer.madvise(mmap.MADV_HUGEPAGE)
            address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
            ctypes.memset(address, _FILL, self._size)
        except (OSError, ValueError) as error:
            self._failed.append(f"{type(error).__name__}: {error}")
            self._barrier.abort()
            return
        self._barrier.wait()
        offset = 0
        while True:
            self._barrier.wait()
            if self._ended:
                return
            done = 0
            while time.monotonic() < self._until:
                length = min(_CHUNK_BYTES, self._size - offset)
                self._libc.memchr(address + offset, 0, length)
                offset = (offset + length) % self._size
                done += length
            self._read[place] = done
            self._barrier.wait()
