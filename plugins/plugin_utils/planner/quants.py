# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which quantisations are worth trying for a model when the wish leaves it open."""

from __future__ import annotations

import functools
import itertools

from ..catalog import overview
from ..catalog.overview import QuantRow

AUTO = "auto"

# Models that were trained in a quantised type: every file of them keeps it, so that other recipes save nothing.
TRAINED_IN = {"gpt-oss": "MXFP4_MOE"}


def worth_trying(architecture: str) -> list[str]:
    """Return the recipes of llama-quantize that a model of this architecture may want, the best quality first."""
    return [TRAINED_IN[architecture]] if architecture in TRAINED_IN else _frontier()


@functools.cache
def divergence(row: QuantRow | None, architecture: str) -> float:
    """Return the mean divergence from the model as published, on Llama-3-8B; where nobody measured it, the tier's worst."""
    if row is None or row.id == TRAINED_IN.get(architecture):
        return 0.0
    if row.kld is not None:
        return row.kld
    worse = [other.kld for other in overview.quants().values() if other.tier == row.tier and other.kld is not None]
    return max(worse, default=0.0)


@functools.cache
def _frontier() -> list[str]:
    """Return the measured recipes of which none is both smaller and better; 16 bits are no quantisation."""
    rows = [row for row in overview.quants().values() if row.kld is not None and row.bits is not None and row.bits < 16]
    rows.sort(key=lambda row: (row.bits, row.kld))
    # From small to large, each has to be better than the best of the smaller ones.
    best = itertools.accumulate((row.kld or 0.0 for row in rows), min)
    kept = [row for row, least in zip(rows, best, strict=True) if row.kld == least]
    return [row.id for row in reversed(kept)]
