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
# What a name says of the files, not of the model: that they are GGUF, of what precision, with which kind of importances
_OF_FILES = re.compile(r"[-_.](gguf|i1|bf16|f16|fp8|mxfp4|i?q[0-9]\w*)$")


def require_repository(model: str, quant: str) -> tuple[str, bool]:
    """Return a repository of the hub with GGUF files of a catalog model, and whether this quant was seen in it.

    It is named like the model's own: others have the same sizes, but are merges of it or trained on. Of several it is that of
    the model's publisher, else the one with most quants: who publishes many keeps them in order.

    :raises ContractError: where none is known.
    """
    try:
        rows = access.published_files(model)
        origin = str(access.model(model).get("hf_repo") or "")
    except access.CatalogError:
        rows, origin = [], ""
    publisher = origin.partition("/")[0].lower()
    core = _core(origin, publisher)
    quants: dict[str, set[str]] = collections.defaultdict(set)
    for row in rows:
        name = row["repository"]
        if row["kind"] == "file" and _REPOSITORY.fullmatch(name) and _core(name, publisher) == core:
            quants[name].add(row["quant"].upper())
    having = [name for name in quants if quant.upper() in quants[name]]
    best = max(
        having or quants,
        key=lambda name: (name.lower().startswith(f"{publisher}/"), len(quants[name]), name),
        default=None,
    )
    if best is None:
        raise ContractError(
            f"model '{model[:80]}': no GGUF repository of it is known; give repository, such as 'publisher/name-GGUF'"
        )
    return best, bool(having)


def _core(repository: str, publisher: str) -> str:
    """Return the model's name in a repository's, without its publisher's and without what is said of the files."""
    name = repository.partition("/")[2].lower()
    while found := _OF_FILES.search(name):
        name = name[: found.start()]
    for word in (publisher, *re.split("[-_]", publisher)):
        name = re.sub(f"^{re.escape(word)}[-_]", "", name) if word else name
    return name
