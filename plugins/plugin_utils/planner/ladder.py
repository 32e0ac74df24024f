# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ladder of a plan: where the model would be placed at other lengths of context, and how fast it is when they are full."""

from __future__ import annotations

from ..contract.plan import Rung
from ..contract.request import FitRequest
from .candidate import Candidate
from .layout import Shape
from .rated import rated

# Lengths of context that the ladder tells of, besides the trained one.
LENGTHS = (8192, 32768, 131072)


def ladder(candidate: Candidate, wish: FitRequest) -> list[Rung]:
    """Return a rung for each length up to the trained one, with the type of cache of the candidate."""
    trained = candidate.costs.trained_context
    found = candidate.found
    cache_type = found.shape.cache_type if found else wish.allow.cache_types[0]
    lengths = sorted({min(tokens, trained) for tokens in (*LENGTHS, trained)})
    return [_rung(candidate, Shape(tokens, wish.parallel, cache_type)) for tokens in lengths]


def _rung(candidate: Candidate, shape: Shape) -> Rung:
    found = candidate.search.at(shape)
    if found is None:
        return Rung(context=shape.context, placement="none")
    return Rung(context=shape.context, placement=found.placement, speed=rated(candidate.search, found, shape.context))
