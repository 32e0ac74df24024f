# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why the first of a ranking is the first, in words: the part in which two standings differ first."""

from __future__ import annotations

import typing as t

from ..contract.plan import ShortPlan
from ..contract.request import FitRequest
from ..units import figure
from .candidate import Candidate
from .goal import PLACES
from .preference import Standing
from .ranking import Ranked, Ranking, Searched
from .sketch import RANK

_PLACES = {rank: PLACES[placement] for placement, rank in RANK.items()}


def why(ranking: Ranking, wish: FitRequest) -> str | None:
    """Return what the first of a ranking has before the choice next above it in quality; None where there was no choice."""
    first = ranking.best[0]
    if len(ranking.all) == 1:
        return None
    models = len({str(one.choice.value) for one in ranking.all})
    text = f"the best of {len(ranking.all):,} choices" + (
        f" among {models} models, ranked by size and age" if models > 1 else ""
    )
    better = [one for one in ranking.all if _quality(one.standing) < _quality(first.standing)]
    if not better:
        return f"{text}: none has the better quality"
    nearest = min(better, key=lambda one: one.standing)
    return f"{text}; {_label(nearest)} has the better quality, but {behind(first, nearest, wish)}"


def short_plan(candidate: Candidate, why: str | None) -> ShortPlan:
    """Return a candidate in a line."""
    found = candidate.found
    return ShortPlan(
        model=candidate.model.id,
        quant=candidate.model.quant or "file",
        placement=candidate.placement,
        context=found.memory.n_ctx_seq if found else 0,
        cache_type=found.shape.cache_type if found else None,
        bytes=candidate.costs.model_bytes,
        decode_tokens_per_second=candidate.speed.decode_tokens_per_second if candidate.speed else None,
        why=why,
    )


def behind(first: Ranked, other: Ranked, wish: FitRequest) -> str:
    """Return what puts a choice behind the first, as what follows its name."""
    mine, its = first.standing, other.standing
    part = next((name for name in Standing._fields if getattr(mine, name) != getattr(its, name)), None)
    return _WORDS[part](other, first, wish) if part else "is named later"


def _label(one: Ranked) -> str:
    value = one.choice.value
    name = value if isinstance(value, str) else str(value.get("id") or "the file")
    return f"{name} {one.choice.quant}" if one.choice.quant else name


def _quality(standing: Standing) -> tuple[t.Any, ...]:
    return standing.low_tier, standing.merit, standing.divergence


def _unfit(other: Ranked, _first: Ranked, _wish: FitRequest) -> str:
    return "runs from disk only" if other.standing.unfit == 1 else "does not run here"


def _short(other: Ranked, first: Ranked, wish: FitRequest) -> str:
    asked = []
    if wish.context.wanted:
        asked.append(f"{wish.context.wanted:,} tokens of context")
    if wish.speed.minimum:
        asked.append(f"{figure(wish.speed.minimum)} tokens/s")
    given = " and ".join(asked)
    return f"is further from the {given} asked for" if first.standing.short else f"does not give the {given} asked for"


def _place(other: Ranked, first: Ranked, wish: FitRequest) -> str:
    if wish.objective == "context":
        return f"has room for {-other.standing.place:,} tokens at most, not {-first.standing.place:,}"
    return f"runs {_PLACES[other.standing.place]}, not {_PLACES[first.standing.place]}"


def _low_tier(other: Ranked, _first: Ranked, _wish: FitRequest) -> str:
    return f"loses much in its quantisation (divergence {other.standing.divergence:.3g})"


def _cramped(other: Ranked, first: Ranked, _wish: FitRequest) -> str:
    if not isinstance(other, Searched) or other.candidate.found is None:
        return "has less context"
    return f"has {other.candidate.found.memory.n_ctx_seq:,} tokens of context only"


def _merit(_other: Ranked, _first: Ranked, _wish: FitRequest) -> str:
    return "is a smaller or an older model"


def _divergence(other: Ranked, first: Ranked, _wish: FitRequest) -> str:
    return f"loses more quality (divergence {other.standing.divergence:.3g}, not {first.standing.divergence:.3g})"


def _seconds(_other: Ranked, _first: Ranked, _wish: FitRequest) -> str:
    return "is slower"


_WORDS: dict[str, t.Callable[[Ranked, Ranked, FitRequest], str]] = {
    "unfit": _unfit,
    "short": _short,
    "place": _place,
    "low_tier": _low_tier,
    "cramped": _cramped,
    "merit": _merit,
    "divergence": _divergence,
    "seconds": _seconds,
}
