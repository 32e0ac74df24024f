# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What layouts need beside their weights and cache, learned from the estimates that were made, told for other contexts.

llama.cpp's buffers are the largest of several sums of tensors, each of a size that is constant or grows with the context:
so they grow along straight lines, each steeper than the one before it. A line through two known contexts is then never
too low between them and never too high outside. What is told is only where to look: an estimate proves each layout.
"""

from __future__ import annotations

import bisect
import typing as t

Sizes = tuple[int, ...]


class Buffers:
    """For each kind of layout, by context, a row of sizes in bytes. What was never seen needs nothing."""

    def __init__(self) -> None:
        self._known: dict[t.Hashable, dict[int, Sizes]] = {}
        self._told: dict[tuple[t.Hashable, int], Sizes | None] = {}

    def learn(self, kind: t.Hashable, context: int, sizes: Sizes, anew: bool) -> None:
        """Note what a layout needs; of several of one kind with one context the largest size counts, unless learned `anew`."""
        known = self._known.setdefault(kind, {})
        known[context] = sizes if anew else tuple(map(max, sizes, known.get(context, sizes)))
        self._told.clear()

    def at(self, kind: t.Hashable, context: int) -> Sizes | None:
        """Return what such a layout needs with this context, None where none of its kind is known."""
        key = (kind, context)
        if key not in self._told:
            known = self._known.get(kind)
            self._told[key] = _told(known, context) if known else None
        return self._told[key]


def _told(known: dict[int, Sizes], context: int) -> Sizes:
    if context in known:
        return known[context]
    contexts = sorted(known)
    if len(contexts) == 1:
        only = known[contexts[0]]
        # Part of a buffer does not grow, and none shrinks.
        return only if context > contexts[0] else tuple(size * context // contexts[0] for size in only)
    place = min(max(bisect.bisect(contexts, context), 1), len(contexts) - 1)
    low, high = contexts[place - 1], contexts[place]
    return tuple(
        max(0, first + (last - first) * (context - low) // (high - low))
        for first, last in zip(known[low], known[high], strict=True)
    )
