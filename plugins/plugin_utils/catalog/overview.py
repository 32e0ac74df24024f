# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What choosing among all models and quantisations needs to know of each, in two small files.

`data/overview/*.csv` repeat a few columns of the entries (written by `tools/catalog names`): to read 190 entries takes
a quarter of a second, these 3 ms. `data/released.csv` says when a model was published; who served models for a fee on the
day that it names is in `data/hosted.yaml`.
"""

from __future__ import annotations

import csv
import functools
import typing as t

import yaml

from .access import DATA

FOLDER = DATA / "overview"


class ModelRow(t.NamedTuple):
    """A model that the catalog can make tensors of. `capabilities` are hints of its publisher, not measured."""

    id: str
    architecture: str
    vendor: str
    parameters: int
    active_parameters: int
    trained_context: int
    capabilities: frozenset[str]


class QuantRow(t.NamedTuple):
    """A recipe of llama-quantize: its tier and divergence, its bits per weight, usual and least over published files."""

    id: str
    tier: str
    kld: float | None
    bits: float | None
    least_bits: float | None


@functools.cache
def models() -> dict[str, ModelRow]:
    """Return the models by id, in the catalog's order."""
    return {
        row["id"]: ModelRow(
            row["id"],
            row["architecture"],
            row["vendor"],
            int(row["parameters"]),
            int(row["active_parameters"]),
            int(row["trained_context"]),
            frozenset(row["capabilities"].split()),
        )
        for row in _rows("models")
    }


@functools.cache
def quants() -> dict[str, QuantRow]:
    """Return the recipes by name, in the catalog's order."""
    return {
        row["id"]: QuantRow(
            row["id"], row["tier"], _number(row["kld"]), _number(row["bits"]), _number(row["least_bits"])
        )
        for row in _rows("quants")
    }


@functools.cache
def released() -> dict[str, float]:
    """Return when each model was published, in years such as 2025.5; of a year alone, its middle."""
    with (DATA / "released.csv").open(encoding="utf-8", newline="") as lines:
        rows = [line for line in lines if not line.startswith("#")]
    return {row["id"]: _year(row["released"]) for row in csv.DictReader(rows)}


@functools.cache
def hosted() -> dict[str, t.Any]:
    """Return who serves models for a fee: `{seen, apis: [{name, url, vendors}]}`; without vendors, models of many."""
    return yaml.safe_load((DATA / "hosted.yaml").read_text(encoding="utf-8"))


def _rows(kind: str) -> list[dict[str, str]]:
    with (FOLDER / f"{kind}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _number(text: str) -> float | None:
    return float(text) if text else None


def _year(text: str) -> float:
    year, _dash, month = text.partition("-")
    return int(year) + ((int(month) - 1) / 12 if month else 0.5)
