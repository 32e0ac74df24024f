# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of two candidates is the better answer to a wish: one order for quants, for models and for both.

A standing is a tuple that compares part by part, the smaller the better. Its parts are in the order of what is given up
last: running from memory, what was asked for, what the objective puts first, a quantisation that is not of the low
tier, room for a conversation, then the merit of the model and the quality of the quant.
"""

from __future__ import annotations

import math
import typing as t

from ..contract.request import FitRequest
from .candidate import Candidate
from .choices import known_of
from .sketch import RANK

# Tokens that most work gets by with: where no context is wanted, each halving below this counts before quality does.
ENOUGH_CONTEXT = 32768


class Standing(t.NamedTuple):
    """Where a candidate stands; the names of the parts are what two candidates are told apart by.

    `unfit`: 0 runs from memory, 1 from disk, 2 not at all. `short`: halvings between what was asked for and what it gives,
    of context and of speed. `place`: the rank of the placement, or tokens of context below zero, as the objective
    has it. `low_tier`: a quantisation that loses much. `cramped`: halvings of the context below ENOUGH_CONTEXT.
    """

    unfit: int
    short: int
    place: int
    low_tier: bool
    cramped: int
    merit: float
    divergence: float
    seconds: float


def standing(candidate: Candidate, wish: FitRequest) -> Standing:
    """Return where a searched candidate stands."""
    known, found = known_of(candidate.model), candidate.found
    context = found.memory.n_ctx_seq if found else 0
    return Standing(
        unfit={"disk": 1, "none": 2}.get(candidate.placement, 0),
        short=short_of(wish, context, 1 / found.seconds if found else 0.0),
        place=place_of(wish, RANK[candidate.placement], context),
        low_tier=known.low_tier,
        cramped=cramped_of(wish, context),
        merit=-known.merit,
        divergence=known.divergence,
        seconds=found.seconds if found else math.inf,
    )


def short_of(wish: FitRequest, context: float, rate: float) -> int:
    """Return how far tokens of context and tokens per second are from what was asked for."""
    return halvings(wish.context.wanted, context) + halvings(wish.speed.minimum, rate)


def place_of(wish: FitRequest, rank: int, context: float) -> int:
    """Return what the objective puts first, of the rank of a placement and tokens of context."""
    if wish.objective == "speed":
        return rank
    if wish.objective == "context":
        return -int(min(context, 1 << 40))
    return 0


def cramped_of(wish: FitRequest, context: float) -> int:
    """Return how far tokens of context are from enough, where the wish does not say what is."""
    return 0 if wish.context.wanted else halvings(ENOUGH_CONTEXT, context)


def halvings(asked: float | None, given: float) -> int:
    """Return how often `asked` must be halved to be given; 0 where it is given, or nothing is asked."""
    if not asked or given >= asked:
        return 0
    return math.ceil(math.log2(asked / given)) if given > 0 else 64
