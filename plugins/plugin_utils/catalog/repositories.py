# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which repository of the hub has the files of a model. One that somebody saw, never a guess."""

from __future__ import annotations

import collections
import re

from ..contract.base import ContractError
from . import access

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


def require_repository(model: str, quant: str) -> tuple[str, bool]:
    """Return a repository of the hub with GGUF files of a catalog model, and whether this quant was seen in it.

    Of several the one with most quants: who publishes many keeps them in order.

    :raises ContractError: where none is known.
    """
    try:
        rows = access.published_files(model)
    except access.CatalogError:
        rows = []
    rows = [row for row in rows if row["kind"] == "file" and _REPOSITORY.fullmatch(row["repository"])]
    quants: dict[str, set[str]] = collections.defaultdict(set)
    for row in rows:
        quants[row["repository"]].add(row["quant"].upper())
    having = [name for name in quants if quant.upper() in quants[name]]
    best = max(having or quants, key=lambda name: (len(quants[name]), name), default=None)
    if best is None:
        raise ContractError(
            f"model '{model[:80]}': no GGUF repository of it is known; give repository, such as 'publisher/name-GGUF'"
        )
    return best, bool(having)
