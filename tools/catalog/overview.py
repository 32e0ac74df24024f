# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that repeat of every entry what choosing among all of them needs (`data/overview/*.csv`)."""

from __future__ import annotations

import csv
import io
import typing as t

from ...plugins.plugin_utils.catalog import access, overview


def write() -> None:
    """Write all of them."""
    overview.FOLDER.mkdir(exist_ok=True)
    for kind in TEXTS:
        (overview.FOLDER / f"{kind}.csv").write_text(text(kind), encoding="utf-8")


def text(kind: str) -> str:
    """Return what the file of a kind, models or quants, must hold."""
    columns, rows = TEXTS[kind]()
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return lines.getvalue()


def _models() -> tuple[tuple[str, ...], list[tuple[t.Any, ...]]]:
    """Return a row for each model whose tensors are known."""
    entries = [access.model(name) for name in access.names("model")]
    return overview.ModelRow._fields, [
        (
            entry["id"],
            entry["metadata"]["general.architecture"],
            entry["vendor"],
            entry["parameters"],
            entry["active_parameters"] or entry["parameters"],
            entry["trained_context"],
            " ".join(entry["capabilities"]),
        )
        for entry in entries
        if entry["metadata"]
    ]


def _quants() -> tuple[tuple[str, ...], list[tuple[t.Any, ...]]]:
    """Return a row for each recipe: bits per weight of published files, else of the recipe's own measurement."""
    entries = [access.quant(name) for name in access.names("quant")]
    rows = []
    for entry in entries:
        published = entry["published_bits_per_weight"] or {}
        if entry["kind"] == "recipe":
            bits = entry["bits_per_weight"]
            rows.append(
                (entry["id"], entry["tier"], entry["kld"], published.get("median", bits), published.get("p10", bits))
            )
    return overview.QuantRow._fields, rows


TEXTS: dict[str, t.Callable[[], tuple[tuple[str, ...], list[tuple[t.Any, ...]]]]] = {
    "models": _models,
    "quants": _quants,
}
