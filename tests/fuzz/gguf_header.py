# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fuzzes the GGUF reader: every header is read, or refused with one sentence, in 256 MiB and 5 s of CPU time.

    python tests/fuzz/gguf_header.py --count 1000000

First come the corner cases, the largest headers that the reader must bear, each in a process of its own; then `count`
changed or invented headers. Case N of seed S is always the same: `--seed S --first N --count 1` runs it alone.
Needs the standard library only.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import os
import random
import re
import resource
import secrets
import signal
import sys
import tempfile
import time
import traceback
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import as_collection  # noqa: F401 # pylint: disable=unused-import
import gguf_cases as cases
from ansible_collections.prositronic.infra.plugins.module_utils import gguf
from ansible_collections.prositronic.infra.plugins.module_utils.gguf_header import GGUFError

MEMORY_BYTES = 256 * 1024**2
CPU_SECONDS = 5
MESSAGE_CHARACTERS = 500  # beside the path
IN_MEMORY = "/dev/shm"  # where files are written twice as fast, holes are free there too
SPLIT = ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")


class OutOfTime(BaseException):
    """Not an Exception, so that nothing in the reader can swallow it."""


class WrongAnswer(Exception):
    """The reader answered, but not as it should."""


def write(path: Path, content: cases.Content) -> Path:
    with path.open("wb") as file:
        file.write(content[0])
        file.truncate(content[1])
    return path


def outcome(path: Path) -> str:
    """Read `path`: 'accepted', or the wording of the refusal. Raises for whatever else happens."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        model = gguf.read(str(path))
        json.dumps([model.value(), model.summary()], allow_nan=False)
    except GGUFError as error:
        said = str(error).replace(str(path.parent), "")
        if "\n" in said or not said.endswith(".") or len(said) > MESSAGE_CHARACTERS:
            raise WrongAnswer(f"not one short sentence: {said!r}") from error
        return re.sub(r"'[^']*'|\[.*\]|[0-9a-f]{2}( [0-9a-f]{2})+|[0-9]+(x[0-9]+)*", "#", said)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    lines = model.value()["tensors"].split("\n")
    if len(lines) != len(model.tensors()) + 1 or any(line.count(" ") < 2 for line in lines[:-1]):
        raise WrongAnswer("the tensors do not have a line each")
    return "accepted"


def run_case(seed: str, number: int, directory: Path) -> str:
    rng = random.Random(f"{seed}/{number}")
    kind = rng.randrange(10)
    if kind < 6:
        return outcome(write(directory / "m.gguf", cases.mutated(rng, rng.choice(WHOLE), WHOLE)))
    if kind < 9:
        return outcome(write(directory / "m.gguf", cases.invented(rng)))
    changed = rng.randrange(2)
    write(directory / SPLIT[1 - changed], HALVES[1 - changed])
    return outcome(write(directory / SPLIT[changed], cases.mutated(rng, HALVES[changed], HALVES)))


WHOLE = cases.seeds()
HALVES = cases.parts()


class Report(t.NamedTuple):
    """What a child found: a failure or None, how often it met each outcome, and what it took."""

    failure: str | None
    outcomes: dict[str, int]
    peak_bytes: int
    seconds: float


def child(work: t.Callable[..., dict[str, int]], arguments: tuple[t.Any, ...], report: t.Any) -> None:
    """Run `work` within the limits and send a Report."""

    def out_of_time(*_arguments: t.Any) -> None:
        raise OutOfTime(f"more than {CPU_SECONDS} s of CPU time")

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGPROF, out_of_time)
    started = time.monotonic()
    failure, outcomes = None, {}
    try:
        outcomes = work(*arguments)
    except (Exception, OutOfTime):
        failure = traceback.format_exc()
    report.send(Report(failure, outcomes, peak_bytes(), time.monotonic() - started))


def peak_bytes() -> int:
    """The most memory this process had, which getrusage mixes up with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def read_one(path: Path) -> dict[str, int]:
    return {outcome(path): 1}


def read_valid(directory: Path) -> dict[str, int]:
    """The headers that the cases are made from must be accepted, or the cases would test little."""
    for content in WHOLE:
        if outcome(write(directory / "m.gguf", content)) != "accepted":
            raise WrongAnswer("a valid header is refused")
    for index, name in enumerate(SPLIT):
        write(directory / name, HALVES[index])
    if outcome(directory / SPLIT[0]) != "accepted":
        raise WrongAnswer("a valid split model is refused")
    return {"accepted": len(WHOLE) + 1}


def run_cases(seed: str, first: int, count: int, directory: Path, current: t.Any) -> dict[str, int]:
    outcomes: collections.Counter[str] = collections.Counter()
    for number in range(first, first + count):
        current.value = number
        outcomes[run_case(seed, number, directory)] += 1
    return dict(outcomes)


def limited(work: t.Callable[..., dict[str, int]], *arguments: t.Any) -> Report:
    """Run `work` in a fresh process, so that its memory is its own."""
    receive, send = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=child, args=(work, arguments, send))
    process.start()
    send.close()
    try:
        return t.cast(Report, receive.recv())
    except EOFError:
        process.join()
        return Report(f"the process ended with {process.exitcode}", {}, 0, 0.0)
    finally:
        process.join()


CONTEXT = multiprocessing.get_context("spawn")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="how many cases (default: %(default)s)")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="default: a new one")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (default: %(default)s)")
    options = parser.parse_args()
    print(f"seed {options.seed}, limits {MEMORY_BYTES // 1024**2} MiB and {CPU_SECONDS} s of CPU time a header")
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if os.path.isdir(IN_MEMORY) else None) as name:
        directory = Path(name)
        report = limited(read_valid, directory)
        if report.failure:
            return failed("the valid headers", report)
        for title, content in cases.corners():
            report = limited(read_one, write(directory / "m.gguf", content))
            if report.failure:
                return failed(title, report)
            print(f"{title}: {next(iter(report.outcomes))}; {measured(report)}")
        current = CONTEXT.Value("Q", options.first, lock=False)
        report = limited(run_cases, options.seed, options.first, options.count, directory, current)
        if report.failure:
            case = current.value
            return failed(f"case {case} (--seed {options.seed} --first {case} --count 1)", report)
    for said, count in sorted(report.outcomes.items(), key=lambda item: -item[1])[:12]:
        print(f"{count:9,} {said}")
    print(
        f"{options.count:,} headers, {report.outcomes.get('accepted', 0):,} accepted, "
        f"{len(report.outcomes)} different answers; {measured(report)}"
    )
    return 0


def measured(report: Report) -> str:
    return f"{report.seconds:.1f} s, at most {report.peak_bytes / 1024**2:.0f} MiB"


def failed(title: str, report: Report) -> int:
    print(f"FAILED: {title}\n{report.failure}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
