# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs steps that depend on each other, some at a time, and keeps what each printed."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

# A command that takes longer hangs.
LIMIT_SECONDS = 900


class StepFailed(Exception):
    """A step found something wrong; what its commands printed says what, the text adds to it.

    `code` is what the command ended with that said so, if one did.
    """

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class StepSkipped(Exception):
    """A step cannot run here; the text says why."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One line of the output. `needs` are names of steps that must have passed before."""

    name: str
    run: t.Callable[[Job], None]
    needs: tuple[str, ...] = ()
    is_test: bool = True


class Job:
    """What a running step has at hand: commands whose output is kept, counts, and remarks about what was not run."""

    def __init__(self, step: Step, log: Path, variables: t.Mapping[str, str]) -> None:
        self.step = step
        self.log = log
        self.variables = variables
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.detail = ""
        self.not_run: list[str] = []
        self.status = "waiting"
        self.started = 0.0
        self.seconds = 0.0
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = False

    def call(
        self,
        *command: object,
        cwd: Path,
        variables: t.Mapping[str, str] | None = None,
        keep: bool = True,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> str:
        """Run a command and return what it printed; raises StepFailed unless it ended with 0.

        With `keep` false what a successful command printed is not kept for the end.
        """
        arguments = [str(argument) for argument in command]
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(arguments)}\n")
            log.flush()
            start = log.tell()
            if self._cancelled:
                raise StepFailed("interrupted")
            self._process = subprocess.Popen(
                arguments,
                cwd=cwd,
                env=dict(self.variables if variables is None else variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            try:
                code = self._process.wait(timeout=limit_seconds)
            except subprocess.TimeoutExpired:
                self.cancel()
                raise StepFailed(f"stopped after {limit_seconds:.0f} s: {arguments[0]}") from None
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(start)
            output = log.read()
        if code != 0:
            raise StepFailed(f"{Path(arguments[0]).name} ended with {code}", code)
        if not keep:
            os.truncate(self.log, start)
        return output

    def write(self, text: str) -> None:
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(text.rstrip("\n") + "\n")

    def cancel(self) -> None:
        """End the command that runs now, with all it started."""
        self._cancelled = True
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)


class Watcher(t.Protocol):
    """Is told what happens; see display.py."""

    def started(self, job: Job) -> None: ...

    def ended(self, job: Job) -> None: ...


def run_steps(
    steps: t.Sequence[Step], logs: Path, variables: t.Mapping[str, str], watcher: Watcher, workers: int
) -> list[Job]:
    """Run all steps, each as soon as those it needs have passed; a step whose need failed or was skipped is skipped.

    Of steps that could start, the first in the sequence does.
    """
    jobs = {step.name: Job(step, logs / f"{step.name}.log", variables) for step in steps}
    waiting = list(steps)
    running: dict[concurrent.futures.Future[None], Job] = {}
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            while waiting or running:
                for step in list(waiting):
                    states = [jobs[need].status for need in step.needs]
                    if "failed" in states or "skipped" in states:
                        waiting.remove(step)
                        job = jobs[step.name]
                        job.status = "skipped"
                        broken = next(n for n in step.needs if jobs[n].status in ("failed", "skipped"))
                        job.not_run.append(f"{step.name}: needs {broken}, which did not pass")
                        watcher.ended(job)
                    elif len(running) < workers and all(state == "passed" for state in states):
                        waiting.remove(step)
                        job = jobs[step.name]
                        job.status, job.started = "running", time.monotonic()
                        watcher.started(job)
                        running[pool.submit(_run, job)] = job
                done, _pending = concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    job = running.pop(future)
                    future.result()
                    watcher.ended(job)
        except BaseException:
            for job in jobs.values():
                job.cancel()
            raise
    return list(jobs.values())


def _run(job: Job) -> None:
    try:
        job.step.run(job)
        job.status = "passed"
    except StepSkipped as reason:
        job.status = "skipped"
        job.not_run.append(f"{job.step.name}: {reason}")
    except Exception as problem:  # whatever goes wrong in a step is that step's failure, not the end of the others
        job.status = "failed"
        job.write(str(problem) if isinstance(problem, StepFailed) else f"{type(problem).__name__}: {problem}")
    job.seconds = time.monotonic() - job.started
