# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long config.json to tensors with types takes: `python benchmarks/tensors.py`, needs pydantic only."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import as_collection  # noqa: E402, F401
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_hf_config  # noqa: E402

RUNS = 20
LIMIT = 20.0  # ms for 1,000 tensors


def best_of(config: dict, quant: str) -> tuple[float, int]:
    """Return the shortest of RUNS in ms of processor time (other programs do not count), and the number of tensors."""
    best = float("inf")
    for _run in range(RUNS):
        start = time.process_time()
        model = from_hf_config.model(config, quant)
        best = min(best, time.process_time() - start)
    return best * 1000, len(model.tensors)


def main() -> None:
    rows = []
    for path in sorted((ROOT / "tests" / "conformance" / "data" / "configs").glob("*.json")):
        took, tensors = best_of(json.loads(path.read_text(encoding="utf-8")), "Q4_K_M")
        rows.append((took * 1000 / tensors, took, tensors, path.stem))
    print(f"config.json to tensors with types, best of {RUNS}: ms per 1,000 tensors (limit {LIMIT:g})")
    for per_thousand, took, tensors, name in sorted(rows, reverse=True):
        print(f"{per_thousand:8.2f}  {name} ({tensors} tensors in {took:.2f} ms)")


if __name__ == "__main__":
    main()
