# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a whole plan takes on 8 GPUs, from what fits to what is spread over GPUs and RAM.

    python benchmarks/search.py [--runs 3]

Wanted are at most 50 ms at the median and 250 ms at worst for 94 layers with experts, and 10 ms at the median for a dense
model. The times are the processor's, so that a busy machine matters less. Nothing is remembered from one plan to the next
but the model's own sizes. Where Debian's llama-fit-params can be had, its own time stands beside: for the same model (a
file whose tensors are a hole) on 8 devices, which servers on this machine stand for.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "differential"))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.request import FitRequest
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.anatomy import anatomy_of
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import source
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.fit import choose
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.machine import machine
from ansible_collections.prositronic.infra.tests.unit import gguf_files
from programs import NotHere, Programs, debian_programs

from tools.environment import cache_directory

GIB = 1 << 30
# From GPUs that hold a tenth of the model to such that hold all of it with the whole context, alike and of two sizes.
QUESTIONS = {
    "qwen3-235b-a22b": list(range(6, 30, 2)),
    "qwen3-32b": [3, 4, 5, 6, 8, 10, 12, 16, 24],
}
LIMITS = {"qwen3-235b-a22b": (50.0, 250.0), "qwen3-32b": (10.0, None)}


def host(gib: int, mixed: bool) -> InferenceHost:
    """Return a machine with 8 GPUs, every third of them larger where they are mixed."""
    gpus = [
        {"vendor": "nvidia", "memory_free_bytes": (gib + (2 if mixed and index % 3 == 0 else 0)) * GIB}
        for index in range(8)
    ]
    return InferenceHost.read({"gpus": gpus, "memory": {"total_bytes": 512 * GIB}}, "host")


def forget_launches(name: str) -> None:
    """Leave of what is remembered of a model its own sizes."""
    model = source.model(name, "Q4_K_M")
    memo = anatomy_of(model).memo
    memo.clear()
    estimate(model, Launch(ctx_size=256, n_gpu_layers=0))
    for key in [key for key in memo if isinstance(key, tuple) and key[0] in ("buffers", "shape", "caches", "moved")]:
        del memo[key]


def planned(name: str, where: InferenceHost) -> tuple[str, float]:
    """Return the placement, and the milliseconds of a plan whose model was described and never estimated."""
    wish = FitRequest.read({"model": name, "quant": "Q4_K_M", "parallel": 1, "advice": "never"}, "wish")
    forget_launches(name)
    place = machine(where, wish.reserve)
    started = time.process_time()
    plan = choose(place, wish)
    return plan.placement, (time.process_time() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for name, sizes in QUESTIONS.items():
        figures = []
        for gib in sizes:
            for mixed in (False, True):
                where = host(gib, mixed)
                runs = [planned(name, where) for _run in range(options.runs)]
                figures.append((min(run[1] for run in runs), gib, mixed, runs[0][0]))
        times = [figure[0] for figure in figures]
        median, worst = LIMITS[name]
        slowest = max(figures)
        print(
            f"{name:16} {len(figures)} machines: median {statistics.median(times):6.1f} ms (limit {median:.0f}),"
            f" worst {slowest[0]:6.1f} ms ({f'limit {worst:.0f}' if worst else 'no limit'};"
            f" 8 x {slowest[1]} GiB{' mixed' if slowest[2] else ''}, {slowest[3]})"
        )
        for placement in ("gpu", "gpu+host"):
            own = [figure[0] for figure in figures if figure[3] == placement]
            if own:
                print(f"  {placement:14} {len(own)} machines: median {statistics.median(own):6.1f} ms")
    try:
        programs = debian_programs(cache_directory())
        with programs.rpc_devices(8) as endpoints:
            for name in QUESTIONS:
                print(f"{name:16} llama-fit-params itself: {theirs(programs, endpoints, name):6.0f} ms")
    except NotHere as reason:
        print(f"llama-fit-params was not run: {reason}")


def theirs(programs: Programs, endpoints: list[str], name: str) -> float:
    """Return the milliseconds that llama-fit-params takes for a model on 8 devices."""
    model = source.model(name, "Q4_K_M")
    width = next(tensor.shape[1] for tensor in model.tensors if tensor.name == "token_embd.weight")
    metadata = {key: value for key, value in model.metadata.items() if key.partition(".")[0] != "tokenizer"}
    metadata |= {"tokenizer.ggml.model": "none", f"{model.architecture}.vocab_size": width}
    tensors = [gguf_files.TensorSpec(tensor.type, tensor.shape, tensor.name) for tensor in model.tensors]
    with tempfile.TemporaryDirectory() as folder:
        path = gguf_files.write(Path(folder, "model.gguf"), metadata, tensors)
        started = time.perf_counter()
        done = programs.fit_params(["-m", str(path), "--parallel", "1", "--rpc", ",".join(endpoints)])
        taken = (time.perf_counter() - started) * 1000
    if done.returncode:
        raise NotHere(f"it failed: {done.stderr.strip().splitlines()[-1:]}")
    return taken


if __name__ == "__main__":
    main()
