# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the context can be, and of which type its cache is: a trade with where the weights are."""

from __future__ import annotations

from ..contract.request import FitRequest
from ..memory.context import DEFAULT_UBATCH
from .layout import CONTEXT_STEP, Shape, padded
from .search import Found, Search
from .sketch import Sketch

# A longer context may cost so much of the speed, by what it drives from GPUs to the host or from RAM to disk.
PRICE = 1.10


def best(search: Search, wish: FitRequest, wanted: int, minimum: int, ubatch: int = DEFAULT_UBATCH) -> Found | None:
    """Return the best of the allowed cache types, each with the context that the objective gives it.

    With `speed`, the placement of the shortest context is kept and the context is as long as a token takes at most a
    tenth longer. With `context`, it is as long as the model still runs from memory, wherever. With `quality`, as
    with `speed`, and only the first type of cache is taken.
    """
    types = wish.allow.cache_types[:1] if wish.objective == "quality" else wish.allow.cache_types
    answers = [
        found
        for cache_type in types
        if (found := _longest(search, wish, Shape(wanted, wish.parallel, cache_type, ubatch), minimum))
    ]
    if wish.objective == "context":
        return min(answers, key=lambda found: (not found.from_memory, -found.shape.context, found.rank), default=None)
    return min(answers, key=lambda found: (found.rank, -found.shape.context), default=None)


def _longest(search: Search, wish: FitRequest, shape: Shape, minimum: int) -> Found | None:
    """Return the longest context, at most that of `shape`, that the objective accepts; None where the least is too much."""
    longest = wish.objective == "context"

    def accepted(found: Sketch | None, base: Sketch) -> bool:
        if found is None:
            return False
        if longest:
            return (found.from_memory or not base.from_memory) and _fast(found, base, wish.speed.minimum)
        return found.rank <= base.rank and found.seconds <= base.seconds * PRICE

    hoped = search.sketches.best(shape.of(minimum))
    if hoped is None:
        return None
    wanted = search.at(shape)
    if wanted and accepted(wanted, hoped):
        return wanted
    base = search.at(shape.of(minimum))
    if base is None or accepted(wanted, base):
        return base and wanted
    # What may not leave the GPUs need not be looked for elsewhere.
    on_gpus = base.placement == "gpu" and not longest
    look = search.on_gpus if on_gpus else search.at
    draft = search.sketches.on_gpus if on_gpus else search.sketches.best
    low, high = padded(minimum) // CONTEXT_STEP, padded(shape.context) // CONTEXT_STEP
    best = base
    while True:
        end = high
        start = low
        # The longest by what is known of buffers, to be proven; a proof teaches more.
        while end - start > 1:
            middle = (start + end) // 2
            if accepted(draft(shape.of(middle * CONTEXT_STEP)), base):
                start = middle
            else:
                end = middle
        if start == low:
            return best
        found = look(shape.of(start * CONTEXT_STEP))
        if found and accepted(found, base):
            best, low = found, start
        else:
            high = start


def _fast(found: Sketch, base: Sketch, minimum: float | None) -> bool:
    """Whether a context costs none of the speed that was asked for, if the least context gives it."""
    return minimum is None or found.seconds * minimum <= 1 or base.seconds * minimum > 1
