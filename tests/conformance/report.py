# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How near the engine is to what llama.cpp allocates, per architecture: python tests/conformance/report.py

All measured loads, in about a minute. Compute buffers; weights and caches are counted only where they differ at all.
"""

from __future__ import annotations

import collections
import pathlib
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.refusals import LaunchRefused
from ansible_collections.prositronic.infra.tests.conformance.memory_rows import (
    FILES,
    MIB,
    Cell,
    Row,
    all_rows,
    model,
    said,
)


def measure() -> tuple[list[Cell], list[str], collections.Counter[str]]:
    """Return all compute buffers, the loads whose weights or caches differ, and counts."""
    cells: list[Cell] = []
    differing: list[str] = []
    counts: collections.Counter[str] = collections.Counter()
    for row in all_rows():
        if row.out_of_reach:
            counts[f"out of reach: {row.out_of_reach}"] += 1
            continue
        if row.data.get("rejected"):
            counts[_refusal(row)] += 1
            continue
        counts["loads"] += 1
        for measured, own in zip(row.measured(), said(row.estimate()), strict=True):
            cells.append(Cell(row, measured[2], own[2]))
            if measured[:2] != own[:2]:
                differing.append(f"{row.name}: weights, KV {own[:2]} instead of {measured[:2]}")
    return cells, differing, counts


def _refusal(row: Row) -> str:
    try:
        row.estimate()
    except LaunchRefused:
        return "refused, as llama-server refuses it"
    return "NOT refused, though llama-server refuses it"


def line(label: str, cells: t.Sequence[Cell]) -> str:
    """Return one line of the table."""
    exact = sum(not cell.error for cell in cells)
    near = sum(cell.near for cell in cells)
    low = min(cell.error for cell in cells) / MIB
    high = max(cell.error for cell in cells) / MIB
    return f"{label:32} {len(cells):6} {exact / len(cells):8.2%} {near / len(cells):8.2%} {low:+9.1f} {high:+9.1f}"


def main() -> None:
    cells, differing, counts = measure()
    print(f"{'compute buffers':32} {'number':>6} {'exact':>8} {'near':>8} {'lowest':>9} {'highest':>9} MiB")
    for file in FILES:
        print(line(file, [cell for cell in cells if cell.row.file == file]))
    print(line("held back", [cell for cell in cells if cell.row.held_back]))
    print(line("not held back", [cell for cell in cells if not cell.row.held_back]))
    groups: dict[tuple[str, str], list[Cell]] = collections.defaultdict(list)
    for cell in cells:
        architecture = model(cell.row.model, cell.row.data["quant"]).architecture
        kind = f"{len(cell.row.data['gpus_mib'])} GPUs"
        groups[architecture, kind].append(cell)
    print()
    for (architecture, kind), group in sorted(groups.items()):
        print(line(f"{architecture}, {kind}", group))
    print()
    for what, number in sorted(counts.items()):
        print(f"{number:6} {what}")
    print(f"{len(differing):6} loads with other weights or caches")
    for text in differing[:20]:
        print(f"       {text}")
    for cell in sorted((cell for cell in cells if cell.error), key=lambda cell: -abs(cell.error))[:20]:
        print(f"       {cell.row.name}: {cell.said} instead of {cell.measured}")


if __name__ == "__main__":
    main()
