# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person sees of the steps: a line each, what runs now (on a terminal), failures in full, a summary."""

from __future__ import annotations

import os
import sys
import threading
import time
import typing as t

from runner import Job

_MARKS = {"passed": ("ok", "32"), "failed": ("FAILED", "31"), "skipped": ("not run", "33")}


class Display:
    """Prints a line when a step ends; on a terminal also which run now and for how long."""

    def __init__(self, total: int, stream: t.TextIO = sys.stdout) -> None:
        self._stream = stream
        self._terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._terminal and "NO_COLOR" not in os.environ
        self._running: list[Job] = []
        self._total = total
        self._ended = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        if self._terminal:
            threading.Thread(target=self._tick, daemon=True).start()

    def started(self, job: Job) -> None:
        with self._lock:
            self._running.append(job)
            self._show_running()

    def ended(self, job: Job) -> None:
        mark, colour = _MARKS[job.status]
        with self._lock:
            if job in self._running:
                self._running.remove(job)
            self._ended += 1
            self._clear()
            line = f"[{self._ended:2}/{self._total}] {self._paint(f'{mark:7}', colour)} {job.step.name:18}"
            self._stream.write(f"{line} {job.seconds:6.1f} s  {_detail(job)}".rstrip() + "\n")
            self._show_running()
            self._stream.flush()

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            self._clear()
            self._stream.flush()

    def summary(self, jobs: t.Sequence[Job], seconds: float, missing: t.Sequence[str]) -> None:
        """Failures in full, what was not run and why, then the totals; the last line counts tests."""
        failed = [job for job in jobs if job.status == "failed"]
        for job in failed:
            self._stream.write(f"\n{self._paint(f'--- {job.step.name} failed', '31')}\n")
            self._stream.write(job.log.read_text(encoding="utf-8", errors="replace") if job.log.exists() else "")
        not_run = [*missing, *(text for job in jobs for text in job.not_run)]
        if not_run:
            self._stream.write("\nNot run:\n")
            self._stream.writelines(f"  {text}\n" for text in not_run)
        steps = [job for job in jobs if job.step.is_test]
        ok = sum(job.status == "passed" for job in steps)
        self._stream.write(f"\n{ok} of {len(steps)} steps passed in {seconds:.0f} s")
        self._stream.write(f"; failed: {', '.join(job.step.name for job in failed)}\n" if failed else "\n")
        passed, bad, skipped = (sum(getattr(job, kind) for job in jobs) for kind in ("passed", "failed", "skipped"))
        self._stream.write(f"{passed} passed, {max(bad, len(failed))} failed, {skipped} skipped\n")
        self._stream.flush()

    def _tick(self) -> None:
        while not self._closed.wait(0.5):
            with self._lock:
                self._show_running()
                self._stream.flush()

    def _show_running(self) -> None:
        if self._terminal and self._running and not self._closed.is_set():
            now = time.monotonic()
            names = ", ".join(f"{job.step.name} {now - job.started:.0f} s" for job in self._running)
            self._clear()
            self._stream.write(f"        ... {names}")

    def _clear(self) -> None:
        if self._terminal:
            self._stream.write("\r\x1b[K")

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text


def _detail(job: Job) -> str:
    counts = f"{job.passed} passed" if job.passed else ""
    counts += f", {job.failed} failed" if job.failed else ""
    counts += f", {job.skipped} skipped" if job.skipped else ""
    return ", ".join(part for part in (counts.lstrip(", "), job.detail) if part)
