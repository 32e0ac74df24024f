# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to look up one entry of the catalog, and to make a model of one.

    python benchmarks/catalog.py [--runs 20]

A first look-up is timed in a fresh process each, as a fork of a play has it: reading the names and the entry. Wanted are at
most 2 ms for it, and 20 ms from metadata to the types of 1,000 tensors.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import sys
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access, hosts
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_catalog

ENTRIES: dict[str, tuple[t.Callable[..., t.Any], tuple[str, ...]]] = {
    "model deepseek-v3.1": (access.model, ("deepseek-v3.1",)),
    "model nemotron-3-ultra-550b-a55b (a long one)": (access.model, ("nemotron-3-ultra-550b-a55b",)),
    "gpu H100": (access.gpu, ("H100",)),
    "gpu by its driver's name": (access.gpu_by_name, ("NVIDIA RTX PRO 6000 Blackwell Server Edition",)),
    "quant Q4_K_M": (access.quant, ("Q4_K_M",)),
    "server hetzner-gex131 (with its GPU)": (hosts.server, ("hetzner-gex131",)),
}
MODELS = {
    "DeepSeek V3.1 in Q4_K_M (1,086 tensors)": ("deepseek-v3.1", "Q4_K_M"),
    "Qwen3 8B in Q4_K_M (399 tensors)": ("qwen3-8b", "Q4_K_M"),
    "Qwen3.6 35B-A3B in UD-Q4_K_XL (733 tensors, 18 recipes tried)": ("qwen3.6-35b-a3b", "UD-Q4_K_XL"),
}


def first_look_up(name: str) -> float:
    """Return the milliseconds of a look-up in this fresh process."""
    function, arguments = ENTRIES[name]
    started = time.perf_counter()
    function(*arguments)
    return (time.perf_counter() - started) * 1000


def first_model(name: str) -> float:
    """Return the milliseconds from a catalog id to a model in this fresh process."""
    started = time.perf_counter()
    from_catalog.model(*MODELS[name])
    return (time.perf_counter() - started) * 1000


def in_fresh_processes(function: t.Callable[[str], float], name: str, runs: int) -> list[float]:
    """Return what a function gives in `runs` processes that have done nothing before."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return [pool.apply(function, (name,)) for _run in range(runs)]


def main() -> None:
    """Print a line for each measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="how often each is done (default: %(default)s)")
    options = parser.parse_args()
    print(f"catalog, Python {platform.python_version()}, {options.runs} fresh processes each:")
    for function, names in ((first_look_up, ENTRIES), (first_model, MODELS)):
        for name in names:
            milliseconds = in_fresh_processes(function, name, options.runs)
            print(f"  {name}: median {statistics.median(milliseconds):.2f} ms, slowest {max(milliseconds):.2f} ms")


if __name__ == "__main__":
    main()
