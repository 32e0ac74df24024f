# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan could reach at the next step, and how a candidate is told in a few words."""

from __future__ import annotations

import typing as t

from ..units import figure
from .candidate import Candidate
from .layout import padded

PLACES = {
    "gpu": "on GPUs",
    "gpu+host": "on GPUs and in RAM",
    "host": "in RAM",
    "disk": "from disk",
    "none": "nowhere",
}

# To run from memory, to run on GPUs alone, or to have the whole context.
Goal = t.Literal["memory", "gpu", "context"]


def goal_of(candidate: Candidate) -> Goal | None:
    """Return what is not reached yet, or None where nothing is missing."""
    if not candidate.fits:
        return "memory"
    if candidate.placement != "gpu":
        return "gpu"
    return "context" if _context(candidate) < padded(candidate.wanted) else None


def reached(goal: Goal, candidate: Candidate) -> bool:
    """Whether a candidate reaches a goal."""
    if goal == "memory":
        return candidate.fits
    if goal == "gpu":
        return candidate.placement == "gpu"
    return candidate.placement == "gpu" and _context(candidate) >= padded(candidate.wanted)


def told(candidate: Candidate) -> str:
    """Return where a candidate runs, with how much context and how fast."""
    if candidate.found is None or candidate.speed is None:
        return "does not run"
    band = candidate.speed.decode_tokens_per_second
    return (
        f"runs {PLACES[candidate.placement]} with {_context(candidate):,} tokens of context"
        f" at {figure(band.low)} to {figure(band.high)} tokens/s"
    )


def _context(candidate: Candidate) -> int:
    return candidate.found.memory.n_ctx_seq if candidate.found else 0
