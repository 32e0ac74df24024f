# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far the estimates are from what llama.cpp allocates, per architecture and kind: results, and docs/accuracy.md of them.

The results of a version of llama.cpp are `results/<version>.json`, with a checksum of the data that they come from.
`tools/write_accuracy.py` writes both.
"""

from __future__ import annotations

import collections
import hashlib
import json
import statistics
import typing as t
from pathlib import Path

import yaml
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.refusals import LaunchRefused
from ansible_collections.prositronic.infra.tests.conformance import (
    extras_rows,
    field_others,
    field_rows,
    measured,
    memory_rows,
)

HERE = Path(__file__).resolve().parent
VERSION = "0.7.0"
BUILD = 11669
RESULTS = HERE / "results" / f"{VERSION}.json"
DIFFERENTIAL = HERE / "results" / f"{VERSION}-differential.json"
PEERS = HERE / "peers.yaml"
PAGE = HERE.parents[1] / "docs" / "accuracy.md"
MIB = 1 << 20
KINDS = ("weights", "KV cache and state", "compute buffer")


class Tally(t.NamedTuple):
    """Errors of one architecture and kind: cells, how many are equal to the byte, and near (1 MiB or 1 %), extremes in bytes."""

    cells: int = 0
    exact: int = 0
    near: int = 0
    lowest: int = 0
    highest: int = 0

    def plus(self, said: int, real: int) -> Tally:
        error = said - real
        return Tally(
            self.cells + 1,
            self.exact + (not error),
            self.near + (abs(error) <= max(MIB, real // 100)),
            min(self.lowest, error),
            max(self.highest, error),
        )


def data_checksum() -> str:
    """Return a checksum of the measurements that the results come from."""
    digest = hashlib.sha256()
    for name in (
        *memory_rows.FILES,
        "extras",
        "field",
        "field_others",
        "models",
        "models_more",
        "quant_types",
        "quant_types_more",
    ):
        digest.update((measured.DATA / f"{name}.jsonl.xz").read_bytes())
    return digest.hexdigest()


def tallies(rows: t.Iterable[memory_rows.Row]) -> dict[str, list[Tally]]:
    """Return for each architecture its tallies, in the order of KINDS."""
    found: dict[str, list[Tally]] = collections.defaultdict(lambda: [Tally()] * len(KINDS))
    for row in rows:
        if row.out_of_reach or row.data.get("rejected"):
            continue
        architecture = memory_rows.model(row.model, row.data["quant"]).architecture
        answer = memory_rows.said(row.estimate())
        for real, own in zip(row.measured(), answer, strict=True):
            found[architecture] = [
                tally.plus(mine, truth) for tally, mine, truth in zip(found[architecture], own, real, strict=True)
            ]
    return dict(found)


def work_out() -> dict[str, t.Any]:
    """Return the results of all measured loads."""
    rows = memory_rows.all_rows()
    return {
        "version": VERSION,
        "build": BUILD,
        "data": data_checksum(),
        "loads": sum(not (row.out_of_reach or row.data.get("rejected")) for row in rows),
        "models": len({row.model for row in rows}),
        "refused": sum(_refused(row) for row in rows if row.data.get("rejected")),
        "left_out": dict(collections.Counter(row.out_of_reach for row in rows if row.out_of_reach)),
        "extras": len(extras_rows.all_rows()),
        "field": {"rows": len(field_rows.all_rows()), "parts": {part: _field(part) for part in field_rows.PARTS}},
        "field_others": _field_others(),
        "architectures": {name: [list(one) for one in found] for name, found in sorted(tallies(rows).items())},
    }


def _field(part: str) -> list[float]:
    """Return of the rows held back: figures, median error, and the shares within 1 % and 3 %."""
    found = [abs(error) for error in field_rows.errors(part, held_back=True)]
    near, nearer = (sum(error <= limit for error in found) / len(found) for limit in (0.03, 0.01))
    return [len(found), round(statistics.median(found), 5), round(nearer, 3), round(near, 3)]


def _field_others() -> dict[str, t.Any]:
    """Return of the other published loads: how many, the median error of all buffers, and those farther off than 3 %."""
    loads = field_others.all_loads()
    return {
        "loads": len(loads),
        "median": round(statistics.median(abs(load.error) for load in loads), 5),
        "left_out": field_others.LEFT_OUT,
        "farther": {
            f"{load.text} ({load.error:+.0%})": field_others.FARTHER[load.id]
            for load in loads
            if abs(load.error) > field_rows.NEAR
        },
    }


def _refused(row: memory_rows.Row) -> bool:
    try:
        row.estimate()
    except LaunchRefused:
        return True
    return False


def page(results: dict[str, t.Any], differential: dict[str, t.Any], peers: list[dict[str, str]]) -> str:
    """Return the page."""
    found = {name: [Tally(*one) for one in kinds] for name, kinds in results["architectures"].items()}
    others = results["field_others"]
    sums = [_sum([kinds[number] for kinds in found.values()]) for number in range(len(KINDS))]
    lines = [
        "# How accurate the memory figures are",
        "",
        "Written by `python3 tools/write_accuracy.py`; not by hand.",
        "",
        f"Compared with what llama.cpp {results['version']} (build {results['build']}) allocates, to the byte:"
        f" {results['loads']} loads of {results['models']} models, {len(found)} architectures. The files had complete metadata and"
        " tensor lists, the GPUs were devices that follow CUDA's allocation sizes and accept every operation. A card that lacks a"
        " kernel for an operation needs more; what CUDA itself takes is a line of its own in every estimate.",
        "",
        "| kind | figures | equal to the byte | within 1 MiB or 1 % | farthest below | farthest above |",
        "|---|---:|---:|---:|---:|---:|",
        *(f"| {kind} | {_columns(tally)} |" for kind, tally in zip(KINDS, sums, strict=True)),
        "",
        f"{results['refused']} launches that llama.cpp refuses are refused with the reason. Beside the model (projectors, draft"
        f" models, multi-token prediction, LoRA, pinned and mapped host memory) {results['extras']} starts of llama-server were"
        " measured; `tests/conformance/test_extras.py` holds every one to the byte, but for one with weights repacked for the"
        " processor. Left out of the loads: "
        + "; ".join(f"{number} with {reason}" for reason, number in sorted(results["left_out"].items()))
        + ".",
        "",
        "## Against the program itself",
        "",
        f"`./check differential` asks the real `llama-fit-params` about random shapes, quants and launches. Last recorded:"
        f" {differential['questions']} questions of {differential['architectures']} architectures (seed {differential['seed']}),"
        f" {differential['right']} right in weights, caches and refusals to the MiB that it prints, {differential['near']} of"
        f" {differential['buffers']} compute buffers within 1 MiB or 1 %.",
        "",
        "## In the field",
        "",
        f"{results['field']['rows']} published loads of one file on four P100, with builds of spring 2026 whose difference is data"
        " (logits for every token, copies of the cache in CUDA's pool). Of the half that was held back when the types of the file's tensors were found:",
        "",
        "| on each GPU | figures | median error | within 1 % | within 3 % |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {part} | {cells} | {median:.2%} | {nearer:.1%} | {near:.1%} |"
            for part, (cells, median, nearer, near) in results["field"]["parts"].items()
        ),
        "",
        "Not explained: the weights of four loads (another file, by their sizes); the first GPU's compute buffer, through which"
        " experts of the host are copied, from 832 MiB too small to 347 too large, since those builds make the copies otherwise.",
        "",
        f"{others['loads']} other published loads, of builds from spring 2025 to autumn 2026, say their whole launch: weights and"
        f" caches of every GPU are within 1 %, all buffers {others['median']:.2%} off at the median. Farther than 3 %: "
        + "; ".join(f"{load}: {why}" for load, why in others["farther"].items())
        + ". Read and not compared: "
        + "; ".join(f"{reason} ({number})" for reason, number in others["left_out"].items())
        + ".",
        "",
        "## By architecture",
        "",
        "Weights and caches, then compute buffers.",
        "",
        "| architecture | figures | weights equal | caches equal | compute equal | compute near | farthest below | farthest above |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, (weights, caches, compute) in found.items():
        lines.append(
            f"| {name} | {compute.cells} | {_share(weights.exact, weights.cells)} | {_share(caches.exact, caches.cells)} |"
            f" {_share(compute.exact, compute.cells)} | {_share(compute.near, compute.cells)} | {_mib(compute.lowest)} |"
            f" {_mib(compute.highest)} |"
        )
    lines += [
        "",
        "## What other tools say",
        "",
        "Measured on one machine without a GPU, against the same engine; or reported by their users, where it says so.",
        "",
        "| tool | found |",
        "|---|---|",
        *(f"| [{peer['tool']}]({peer['source']}) | {peer['found']} |" for peer in peers),
        "",
        "## Again, for a newer llama.cpp",
        "",
        "1. `plugins/plugin_utils/catalog/data/engines/<version>.yaml`: options, images, overheads of the new version.",
        "2. `tests/differential/fit_params.py --count 1000 --record` puts random questions to the new `llama-fit-params` and names"
        " every one that is answered otherwise.",
        "3. Where a rule changed: the function in `plugins/plugin_utils/memory/` that names its source file in llama.cpp.",
        "4. Measurements of the new version go to `tests/conformance/data/`, its number to `tests/conformance/accuracy.py`; then"
        " `python3 tools/write_accuracy.py`.",
        "",
    ]
    return "\n".join(lines)


def _sum(parts: list[Tally]) -> Tally:
    return Tally(
        sum(part.cells for part in parts),
        sum(part.exact for part in parts),
        sum(part.near for part in parts),
        min(part.lowest for part in parts),
        max(part.highest for part in parts),
    )


def _columns(tally: Tally) -> str:
    shares = f"{_share(tally.exact, tally.cells)} | {_share(tally.near, tally.cells)}"
    return f"{tally.cells} | {shares} | {_mib(tally.lowest)} | {_mib(tally.highest)}"


def _share(part: int, whole: int) -> str:
    """A percentage that is only 100 where all are."""
    if part == whole:
        return "100 %"
    return f"{min(99.99, 100 * part / whole):.2f} %"


def _mib(size: int) -> str:
    return "0" if not size else f"{size / MIB:+.1f} MiB"


def current_page() -> str:
    """Return the page that the recorded results give."""
    return page(
        json.loads(RESULTS.read_text(encoding="utf-8")),
        json.loads(DIFFERENTIAL.read_text(encoding="utf-8")),
        yaml.safe_load(PEERS.read_text(encoding="utf-8")),
    )
