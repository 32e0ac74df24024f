# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the context can be, and of which type its cache is: a trade with where the weights are."""

from __future__ import annotations

import typing as t

from ..contract.request import FitRequest
from .layout import CONTEXT_STEP, Shape, padded
from .search import Found, Search

# A longer context may cost so much of the speed, by what it drives from GPUs to the host or from RAM to disk.
PRICE = 1.10


def best(search: Search, wish: FitRequest, wanted: int, minimum: int) -> Found | None:
    """Return the best of the allowed cache types, each with the context that the objective gives it.

    With `speed`, the placement of the shortest context is kept and the context is as long as a token takes at most a
    tenth longer. With `context`, it is as long as the model still runs from memory, wherever. With `quality`, as
    with `speed`, and only the first type of cache is taken.
    """
    types = wish.allow.cache_types[:1] if wish.objective == "quality" else wish.allow.cache_types
    answers = [
        found
        for cache_type in types
        if (found := _longest(search, wish, Shape(wanted, wish.parallel, cache_type), minimum))
    ]
    if wish.objective == "context":
        return min(answers, key=lambda found: (not found.from_memory, -found.shape.context, found.rank), default=None)
    return min(answers, key=lambda found: (found.rank, -found.shape.context), default=None)


def _longest(search: Search, wish: FitRequest, shape: Shape, minimum: int) -> Found | None:
    """Return the longest context, at most that of `shape`, that the objective accepts; None where the least is too much."""
    base = search.at(_with(shape, minimum))
    if base is None:
        return None

    def accepted(found: Found | None) -> bool:
        if found is None:
            return False
        if wish.objective == "context":
            return (found.from_memory or not base.from_memory) and _fast(found, base, wish.speed.minimum)
        return found.rank <= base.rank and found.seconds <= base.seconds * PRICE

    # What may not leave the GPUs need not be looked for elsewhere.
    look = search.on_gpus if base.placement == "gpu" and wish.objective != "context" else search.at
    return _last(lambda tokens: look(_with(shape, tokens)), accepted, minimum, shape.context) or base


def _last(
    attempt: t.Callable[[int], Found | None], accepted: t.Callable[[Found | None], bool], minimum: int, wanted: int
) -> Found | None:
    """Return the accepted attempt with the most tokens, in steps of llama.cpp's rounding."""
    found = attempt(wanted)
    if accepted(found):
        return found
    best, low, high = None, padded(minimum) // CONTEXT_STEP, padded(wanted) // CONTEXT_STEP
    while high - low > 1:
        middle = (low + high) // 2
        found = attempt(middle * CONTEXT_STEP)
        if accepted(found):
            best, low = found, middle
        else:
            high = middle
    return best


def _with(shape: Shape, tokens: int) -> Shape:
    return Shape(tokens, shape.parallel, shape.cache_type)


def _fast(found: Found, base: Found, minimum: float | None) -> bool:
    """Whether a context costs none of the speed that was asked for, if the least context gives it."""
    return minimum is None or found.seconds * minimum <= 1 or base.seconds * minimum > 1


def _fits(found: Found) -> bool:
    return found.placement in ("gpu", "gpu+host", "host")
