# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ladder of a plan: where the model would be placed at other lengths of context, and how fast it is when they are full."""

from __future__ import annotations

from ..contract.plan import Placement, Rung
from ..contract.request import FitRequest
from .candidate import Candidate
from .layout import Shape
from .rated import rated
from .sketch import RANK, Sketch

# Lengths of context that the ladder tells of, besides the trained one.
LENGTHS = (8192, 32768, 131072)


def ladder(candidate: Candidate, wish: FitRequest) -> list[Rung]:
    """Return a rung for each length up to the trained one, with the type of cache of the candidate."""
    trained = candidate.costs.trained_context
    found = candidate.found
    shape = found.shape if found else Shape(trained, wish.parallel, wish.allow.cache_types[0])
    lengths = sorted({min(tokens, trained) for tokens in (*LENGTHS, trained)}, reverse=True)
    rungs: list[Rung] = []
    longer: Placement = "none"
    for tokens in lengths:
        rung = _rung(candidate, shape.of(tokens), longer)
        longer = rung.placement
        rungs.append(rung)
    return rungs[::-1]


def _rung(candidate: Candidate, shape: Shape, longer: Placement) -> Rung:
    """Return a rung; where a sketch has no better placement than a longer context has, it needs no proof."""
    search = candidate.search
    found: Sketch | None = search.sketches.best(shape)
    if found and found.rank < RANK[longer]:
        found = search.at(shape)
    if found is None:
        return Rung(context=shape.context, placement="none")
    return Rung(context=shape.context, placement=found.placement, speed=rated(search, found, shape.context))
