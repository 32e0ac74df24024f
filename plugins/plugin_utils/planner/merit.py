# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a model can do, as far as size and age tell: a guess for ranking models, never shown as a measurement.

No benchmark covers all models of the catalog, and those that exist disagree. Two rules stand in for them.

- Of a mixture of experts counts the geometric mean of all and of active parameters, a rule of thumb for the dense model
  of equal ability.
- Models become denser: at equal ability the parameters halved every 3.5 months from 2023 to 2025 (Xiao et al., Densing law
  of LLMs, Nature Machine Intelligence 2025). Here half a year counts as a halving, since that law follows the best
  model of each month on benchmarks, and knowledge of the world grows with size.
"""

from __future__ import annotations

import functools
import math

from ..catalog import overview

HALVING_YEARS = 0.5
# For a model that the catalog does not know.
UNKNOWN_YEAR = 2025.5


@functools.lru_cache(maxsize=512)
def merit(identifier: str, parameters: int, active_parameters: int) -> float:
    """Return the merit of a model in doublings: one more is what twice the parameters, or half a year, are taken to give."""
    effective = math.sqrt(max(parameters, 1) * max(min(active_parameters, parameters), 1))
    return math.log2(effective) + overview.released().get(identifier, UNKNOWN_YEAR) / HALVING_YEARS
