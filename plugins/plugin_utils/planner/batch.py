# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many tokens of a prompt are computed at once: larger batches read prompts faster and take memory from weights.

Weights of the host are copied to a GPU once a batch, and each expert is read once a batch, so that twice the batch is
nearly twice the rate. The larger compute buffer drives experts from GPUs, which each token then feels.
"""

from __future__ import annotations

from ..contract.request import FitRequest
from .context import best
from .rated import rated
from .search import Found, Search
from .sketch import Sketch

# Tokens, besides llama.cpp's own 512: up to its own `batch_size`, which is also the prompt that rates are told for.
BATCHES = (1024, 2048)


def with_batch(search: Search, wish: FitRequest, wanted: int, minimum: int, first: Found) -> Found:
    """Return the layout with the smallest batch that reads prompts as fast as is wished, else with the one that is fastest.

    What is wished of context, of tokens per second and of the placement goes before.
    """
    rate = wish.speed.prefill
    if rate is None or prefill(search, first) >= rate:
        return first
    fastest = first
    for batch in BATCHES:
        found = best(search, wish, wanted, minimum, batch)
        if found is None or found.rank > first.rank or found.shape.context < min(first.shape.context, wanted):
            break
        if wish.speed.minimum and found.seconds * wish.speed.minimum > max(1.0, first.seconds * wish.speed.minimum):
            break
        if prefill(search, found) > prefill(search, fastest):
            fastest = found
        if prefill(search, fastest) >= rate:
            break
    return fastest


def prefill(search: Search, found: Sketch) -> float:
    """Return the expected tokens per second of a prompt."""
    band = rated(search, found, 0).prefill_tokens_per_second
    return band.expected if band else 0.0
