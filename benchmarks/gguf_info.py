# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long gguf_info reads a header of 1,000 tensors, 129,280 tokens and 127,741 merges, and in how much memory.

    python benchmarks/gguf_info.py [--runs 20]

That is a vocabulary as DeepSeek-V3's. Run it with the Python of a target host (3.9 or newer, nothing else needed).
The time is from the path to the complete result; the memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.plugins.module_utils import gguf
from ansible_collections.prositronic.infra.tests.unit import gguf_files


def read_repeatedly(path: str, runs: int) -> tuple[list[float], int, int]:
    """Milliseconds of each run, the peak memory of this process before and after them in bytes."""
    before = peak_bytes()
    milliseconds = []
    for _run in range(runs):
        started = time.perf_counter()
        model = gguf.read(path)
        model.value()
        model.summary()
        milliseconds.append((time.perf_counter() - started) * 1000)
    return milliseconds, before, peak_bytes()


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="how often to read it (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = gguf_files.write(Path(directory) / "m.gguf", *gguf_files.large_vocabulary())
        # A fresh process: this one has held the vocabulary.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            milliseconds, before, after = pool.apply(read_repeatedly, (str(path), options.runs))
    print(
        f"gguf_info, 1,000 tensors, 129,280 tokens, 127,741 merges, Python {platform.python_version()}: "
        f"median {statistics.median(milliseconds):.0f} ms, slowest {max(milliseconds):.0f} ms of {options.runs} runs; "
        f"peak memory {after / 1024**2:.0f} MiB, {(after - before) / 1024**2:.1f} MiB of it for reading"
    )


if __name__ == "__main__":
    main()
