# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long memory_estimate of DeepSeek V3 takes: in the engine, and as a filter in a play.

    python benchmarks/memory_estimate_filter.py [--runs 50]

Wanted are at most 2 ms on a model that is read, and 10 ms through the filter, with the header as gguf_info gives it. Times
are the best of the runs, of this thread's own CPU.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import typing as t
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

GIB = 1 << 30


def best(action: t.Callable[[], t.Any], runs: int) -> float:
    """Return the shortest of `runs` in milliseconds."""
    times = []
    for _run in range(runs):
        start = time.thread_time()
        action()
        times.append(time.thread_time() - start)
    return min(times) * 1000


def measure(runs: int) -> None:
    # Only now is the checkout a collection that Ansible finds.
    from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
    from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
    from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
    from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_catalog
    from ansible_collections.prositronic.infra.tests.unit import templar

    model = from_catalog.model("deepseek-v3.1", "Q4_K_M")
    lines = (f"{tensor.type} {'x'.join(map(str, tensor.shape))} {tensor.name}" for tensor in model.tensors)
    header = {
        "schema": 1,
        "files": [{"path": "/srv/deepseek-v3.1.gguf", "size_bytes": 1}],
        "version": 3,
        "alignment": 32,
        "metadata": dict(model.metadata),
        "tensors": "\n".join(lines),
    }
    gpus = [{"memory_free_bytes": 80 * GIB} for _gpu in range(8)]
    read = [Gpu(**gpu) for gpu in gpus]
    launch = Launch(ctx_size=8192)
    contexts = iter(range(16384, GIB, 256))

    def play() -> t.Any:
        return templar.render(
            "header | prositronic.infra.memory_estimate(launch={'ctx_size': 8192}, gpus=gpus)", header=header, gpus=gpus
        )

    print(f"in the engine, 8 GPUs               {best(lambda: estimate(model, launch, read), runs):8.3f} ms")
    print(
        "in the engine, 1 GPU, new context   "
        f"{best(lambda: estimate(model, Launch(ctx_size=next(contexts)), read[:1]), runs):8.3f} ms"
    )
    print(f"through the filter, 8 GPUs          {best(play, runs):8.3f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        namespace = Path(folder) / "ansible_collections" / "prositronic"
        namespace.mkdir(parents=True)
        (namespace / "infra").symlink_to(Path(__file__).resolve().parents[1])
        init_plugin_loader([folder])
        measure(runs)


if __name__ == "__main__":
    main()
