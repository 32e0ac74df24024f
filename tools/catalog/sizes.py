# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Published GGUF files beside the sizes that the recipes predict for them."""

from __future__ import annotations

import functools
import pathlib
import typing as t

import yaml

from ...plugins.module_utils.ggml_types import tensor_bytes
from ...plugins.plugin_utils import architecture, quant
from ...plugins.plugin_utils.catalog import access

TOLERANCE = 0.005

# Each token of a tokenizer is text with a length of 8 bytes and a type of 4; SentencePiece adds a score of 4 (25 bytes in
# all), the others add about one merge for each token, text with a length again (40 bytes in all).
TOKEN_BYTES = 40
SENTENCEPIECE_TOKEN_BYTES = 25
_SENTENCEPIECE = ("gemma", "ernie")

_EXPLAINED = pathlib.Path(__file__).parent / "explained_sizes.yaml"
_SAME = {"FP16": "F16", "f16": "F16", "f32": "F32"}


class Comparison(t.NamedTuple):
    """A published file and the size predicted for it; `why` explains a difference, None where there is none to explain."""

    model: str
    file: dict[str, t.Any]
    predicted_bytes: int
    why: str | None

    @property
    def difference(self) -> float:
        """Part of the predicted size that the published one lies above it."""
        return self.file["size_bytes"] / self.predicted_bytes - 1

    @property
    def precision(self) -> float:
        """Part of the size that rounding in print may have taken or given."""
        return self.file["precision_bytes"] / self.predicted_bytes

    @property
    def agrees(self) -> bool:
        """Tell whether the sizes agree as far as the published one was printed."""
        return abs(self.difference) <= TOLERANCE + self.precision


def comparisons() -> list[Comparison]:
    """Return every published file of the catalog whose label is a recipe of llama-quantize."""
    found = []
    explained = explanations()
    for name in access.names("model"):
        entry = access.model(name)
        if not entry["metadata"]:
            continue
        predict = _predictor(entry["metadata"])
        for file in access.published_files(name):
            recipe = _SAME.get(file["quant"], file["quant"])
            if recipe not in quant.FILE_TYPES:
                continue
            # Publishers do not say whether they had an importance matrix: either may be.
            comparison = Comparison(name, file, predict(recipe, False, file["kind"]), None)
            if not comparison.agrees:
                comparison = comparison._replace(predicted_bytes=predict(recipe, True, file["kind"]))
            if not comparison.agrees:
                comparison = comparison._replace(why=_why(explained, name, file))
            found.append(comparison)
    return found


def _predictor(metadata: dict[str, t.Any]) -> t.Callable[[str, bool, str], int]:
    """Return the function from recipe, importance matrix and kind of figure to bytes, for the model of these metadata."""
    tensors = architecture.tensors(metadata)
    prefix = str(metadata["general.architecture"])
    token_bytes = SENTENCEPIECE_TOKEN_BYTES if prefix.startswith(_SENTENCEPIECE) else TOKEN_BYTES
    header = token_bytes * int(metadata[f"{prefix}.vocab_size"])

    @functools.cache
    def all_tensors(recipe: str, imatrix: bool) -> int:
        types = quant.quantize(tensors, metadata, recipe, imatrix=imatrix)
        return sum(tensor_bytes(tensor.type, tensor.shape) for tensor in types)

    return lambda recipe, imatrix, kind: all_tensors(recipe, imatrix) + (header if kind == "file" else 0)


def explanations() -> list[dict[str, t.Any]]:
    """Return what is known of files that are not what their label says: `models, repositories, quants, why`."""
    return yaml.safe_load(_EXPLAINED.read_text(encoding="utf-8"))


def matches(explanation: dict[str, t.Any], model: str, file: dict[str, t.Any]) -> bool:
    """Tell whether an explanation is about this file; what it leaves out it says of all."""
    return (
        model in explanation["models"]
        and any(file["repository"].startswith(begin) for begin in explanation.get("repositories", [""]))
        and file["quant"] in explanation.get("quants", [file["quant"]])
    )


def _why(explained: list[dict[str, t.Any]], model: str, file: dict[str, t.Any]) -> str | None:
    return next((entry["why"] for entry in explained if matches(entry, model, file)), None)


def report(*, everything: bool = False) -> str:
    """Return a table of the files that differ (or of all) and the totals, as text."""
    found = comparisons()
    lines = []
    for reason in sorted({one.why or "" for one in found if not one.agrees}):
        lines.append(f"{reason or 'NOT EXPLAINED'}\n")
        lines += [_line(one) for one in found if not one.agrees and (one.why or "") == reason]
    if everything:
        lines += ["As predicted:\n", *(_line(one) for one in found if one.agrees)]
    agree = sum(one.agrees for one in found)
    sharp = [one for one in found if one.precision <= TOLERANCE / 2]
    strict = sum(abs(one.difference) <= TOLERANCE for one in sharp)
    explained = sum(not one.agrees and one.why is not None for one in found)
    lines.append(
        f"{len(found)} files of {len({one.model for one in found})} models: {agree} as predicted within {TOLERANCE:.1%} and"
        f" their printed precision, {explained} explained, {len(found) - agree - explained} not.\n"
        f"Of the {len(sharp)} that are printed to {TOLERANCE / 2:.2%} or better, {strict} agree within {TOLERANCE:.1%}.\n"
    )
    return "".join(lines)


def _line(one: Comparison) -> str:
    return f"  {one.model:30} {one.file['quant']:10} {one.file['printed']:>16} {one.difference:+7.2%}  {one.file['repository']}\n"
