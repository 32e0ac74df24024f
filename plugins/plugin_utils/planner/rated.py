# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a found layout is."""

from __future__ import annotations

from ..contract.plan import Speed
from ..speed.estimate import estimate
from .search import Search
from .sketch import Sketch


def rated(search: Search, found: Sketch, depth: int) -> Speed:
    """Return the rates of a layout with `depth` tokens in the context already."""
    layout = found.layout
    workload = search.costs.workload(found.shape.cache_type, depth)
    return estimate(
        workload.work(layout.counts, layout.host_layers, layout.borders),
        search.sketches.rates(layout),
        search.sketches.host_rates,
        ubatch=min(found.shape.ubatch, found.shape.context),
        depth=depth,
        ram_bytes=found.ram_bytes,
        measured=search.sketches.observed.speed(layout, layout.launch(found.shape, search.costs.whole_experts), depth),
    )
