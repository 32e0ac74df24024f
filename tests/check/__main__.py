# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`./check`: everything that is tested, one command."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))
sys.dont_write_bytecode = True

from display import Display  # noqa: E402
from home import test_variables  # noqa: E402
from matrix import choose  # noqa: E402
from runner import Step, run_steps  # noqa: E402
from steps import Steps  # noqa: E402

from tools.environment import cache_directory, find_pythons  # noqa: E402

# What finds most mistakes in the least time.
FAST = ("ruff", "mypy", "unit-{newest}", "conformance", "sanity-{newest}")


def main() -> int:
    # Ended from outside, it takes down what it started, as at the keyboard.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse()
    pythons = find_pythons()
    pairs, missing = choose(pythons)
    if not pairs:
        print("./check: " + "; ".join(missing) + ".", file=sys.stderr)
        return 1
    work = Path(tempfile.mkdtemp(prefix="prositronic-check-"))
    try:
        steps = Steps(work, pairs, pythons, thorough=options.lab or options.long)
        chosen = select(steps, options)
        steps.chosen = {step.name for step in chosen}
        if options.list:
            print("\n".join(step.name for step in chosen))
            return 0
        logs = work / "logs"
        logs.mkdir()
        # One more than processors: some tests wait, for what must not hang
        workers = options.jobs or len(os.sched_getaffinity(0)) + 1
        tested = ", ".join(f"ansible-core {core.line} on Python {python}" for core, python in pairs)
        print(f"Checking with {tested}; {workers} steps at a time, environments kept in {cache_directory()}")
        display = Display(len(chosen))
        started = time.monotonic()
        try:
            jobs = run_steps(chosen, logs, test_variables(work), display, workers)
        finally:
            display.close()
        display.summary(jobs, time.monotonic() - started, missing)
        return 1 if any(job.status == "failed" for job in jobs) else 0
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./check",
        description="Runs the tests of prositronic.infra. Makes its own environments; needs Python 3.11 to 3.14 and a "
        "package index. Leaves the checkout as it was.",
    )
    parser.add_argument("step", nargs="*", help="only these and what they need; 'unit' means all that begin so")
    parser.add_argument("--fast", action="store_true", help=f"only {', '.join(FAST).replace('-{newest}', '')}")
    parser.add_argument("--lab", action="store_true", help="also what takes longer, and the tests on hosts that boot (root on Linux)")
    parser.add_argument("--long", action="store_true", help="all that takes long, of the lab too")
    parser.add_argument("--jobs", type=int, metavar="N", help="steps at a time (default: one more than processors)")
    parser.add_argument("--list", action="store_true", help="name the steps and stop")
    return parser.parse_args()


def select(steps: Steps, options: argparse.Namespace) -> list[Step]:
    """The steps that the command line asks for, with those they need, in order."""
    available = steps.all()
    if options.lab or "lab" in options.step:
        # It takes longest and seldom more than one processor: it starts as soon as it can, beside the others
        available.insert(0, steps.lab(options.long))
    wanted = list(options.step)
    if options.fast:
        wanted += [name.format(newest=steps.newest[0].line) for name in FAST]
    if not wanted:
        return available
    names = {step.name: step for step in available}
    chosen: set[str] = set()

    def add(name: str) -> None:
        chosen.add(name)
        for need in names[name].needs:
            add(need)

    for word in wanted:
        found = [name for name in names if name == word or name.startswith(f"{word}-")]
        if not found:
            raise SystemExit(f"./check: no step {word!r}; there are {', '.join(names)}.")
        for name in found:
            add(name)
    return [step for step in available if step.name in chosen]


if __name__ == "__main__":
    sys.exit(main())
