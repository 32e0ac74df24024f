# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A line per step with its seconds, counting while it runs where there is a terminal."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import typing as t

_WIDTH = 48


@contextlib.contextmanager
def progress(what: str, stream: t.TextIO = sys.stdout) -> t.Iterator[None]:
    """Print `what` at once, and the seconds it took when the block is left."""
    line = f"  {what + ' ':.<{_WIDTH}}"
    started = time.monotonic()
    ended = threading.Event()

    def count() -> None:
        while not ended.wait(1):
            stream.write(f"\r{line} {time.monotonic() - started:5.0f} s")
            stream.flush()

    stream.write(line)
    stream.flush()
    counter = threading.Thread(target=count, daemon=True)
    if stream.isatty():
        counter.start()
    try:
        yield
    finally:
        ended.set()
        if counter.is_alive():
            counter.join()
        start = f"\r{line}" if stream.isatty() else ""
        stream.write(f"{start} {time.monotonic() - started:5.1f} s\n")
        stream.flush()
