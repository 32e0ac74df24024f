# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long an estimate takes, and how much memory many of them.

    python benchmarks/memory_estimate.py [--runs 200]

Wanted are at most 0.3 ms for a launch on 8 GPUs whose graph has been worked out, 5 ms for one whose graph has not, 0.15 ms for
the plain numbers a planner asks for, and 5 s and 200 MiB for 10,000 estimates. Times are the best of the runs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.allocation import allocate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.anatomy import anatomy_of
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.options import options_of
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_catalog

GIB = 1 << 30


def best(action: t.Callable[[], t.Any], runs: int) -> float:
    """Return the shortest of `runs` in milliseconds."""
    times = []
    for _run in range(runs):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    gpus = [Gpu(index=index, memory_free_bytes=80 * GIB) for index in range(8)]
    for name in ("deepseek-v3.1", "qwen3-32b"):
        model = from_catalog.model(name, "Q4_K_M")
        anatomy = anatomy_of(model)
        contexts = iter(range(8192, 1 << 30, 256))
        estimate(model, Launch(ctx_size=4096), gpus)
        launch = Launch(ctx_size=4096)
        options = options_of(launch, anatomy, len(gpus))
        free = [float(gpu.memory_free_bytes or 0) for gpu in gpus]
        print(name)
        print(f"  again, 8 GPUs        {best(lambda m=model, a=launch: estimate(m, a, gpus), runs):8.3f} ms")
        print(f"  plain numbers        {best(lambda a=anatomy, o=options, f=free: allocate(a, o, f), runs):8.3f} ms")
        print(
            f"  new context, 1 GPU   "
            f"{best(lambda m=model, c=contexts: estimate(m, Launch(ctx_size=next(c)), gpus[:1]), 20):8.3f} ms"
        )
        print(
            f"  new context, 8 GPUs  "
            f"{best(lambda m=model, c=contexts: estimate(m, Launch(ctx_size=next(c)), gpus), 20):8.3f} ms"
        )
    start = time.perf_counter()
    model = from_catalog.model("qwen3-32b", "Q4_K_M")
    for number in range(10_000):
        size = 4096 << number % 5
        estimate(model, Launch(ctx_size=size, n_gpu_layers=number % 66), gpus[: 1 + number % 3])
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"10,000 estimates       {time.perf_counter() - start:8.1f} s, {used:.0f} MiB resident at most")


if __name__ == "__main__":
    main()
