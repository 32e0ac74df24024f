# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every combination of a selection of models, quants and machines of the catalog, worked on by all processors."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import typing as t

from .._pydantic import Field, field_validator
from ..catalog import access as catalog
from ..catalog import hosts
from ..contract.base import Contract, ContractError
from ..contract.host import InferenceHost
from ..contract.request import Allow, ContextWish

Names = t.Annotated[list[str], Field(min_length=1)]
Work = t.TypeVar("Work")
Made = t.TypeVar("Made")


class Selection(Contract):
    """What to combine: each of `models`, `quants` and `hardware` is a list of names of the catalog, or `all`.

    A server has its own RAM. For a GPU alone there is `ram_bytes`.
    """

    models: Names
    quants: Names
    hardware: Names
    ram_bytes: int = Field(1 << 40, gt=0)
    context: ContextWish = ContextWish()
    parallel: int | None = Field(None, gt=0)
    allow: Allow = Allow()
    engine: str | None = None

    @field_validator("models", "quants", "hardware", mode="before")
    @classmethod
    def _listed(cls, value: t.Any) -> t.Any:
        return [value] if isinstance(value, str) else value

    @field_validator("context", mode="before")
    @classmethod
    def _tokens(cls, value: t.Any) -> t.Any:
        return {"wanted": value} if isinstance(value, (int, str)) and not isinstance(value, bool) else value


class Hardware(t.NamedTuple):
    """A machine to plan for. `host` is None where the catalog does not know enough of it, and `why` says what."""

    slug: str
    name: str
    host: InferenceHost | None
    why: str | None


class Branch(t.NamedTuple):
    """All machines for one model and quant: what a process knows of the two serves all of them."""

    slug: str
    model: str
    quant: str
    machines: list[Hardware]


def branches(selection: Selection) -> list[Branch]:
    """Return the branches of a selection, by model and quant.

    :raises ValueError: for a name that the catalog does not have.
    """
    machines = _hardware(selection)
    return [
        Branch(slug, identifier, quant, machines)
        for slug, identifier in _models(selection.models).items()
        for quant in _quants(selection.quants)
    ]


def in_parallel(function: t.Callable[[Work], Made], work: t.Sequence[Work]) -> t.Iterator[Made]:
    """Yield what `function` makes of each piece of work, in their order, using all processors.

    Forked, since a fresh process does not know the collection.
    """
    workers = min(len(os.sched_getaffinity(0)), len(work)) if hasattr(os, "sched_getaffinity") else 1
    if workers < 2:
        yield from map(function, work)
        return
    with concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(function, work)


def _models(names: list[str]) -> dict[str, str]:
    """Return `{slug: id}` in the order of slugs."""
    wanted = catalog.names("model") if names == ["all"] else names
    entries = [catalog.model(name) for name in wanted]
    return {entry["slug"]: entry["id"] for entry in sorted(entries, key=lambda entry: str(entry["slug"]))}


def _quants(names: list[str]) -> list[str]:
    wanted = catalog.names("quant") if names == ["all"] else names
    entries = [catalog.quant(name) for name in wanted]
    return sorted({entry["id"] for entry in entries if entry["kind"] in ("recipe", "mix")})


def _hardware(selection: Selection) -> list[Hardware]:
    """Return machines by slug: servers as they are sold, and GPUs alone."""
    wanted = [*catalog.names("gpu"), *catalog.names("server")] if selection.hardware == ["all"] else selection.hardware
    servers = set(catalog.names("server"))
    machines = [_server(name) if name in servers else _gpu_or_server(name, selection.ram_bytes) for name in wanted]
    return sorted({machine.slug: machine for machine in machines}.values(), key=lambda machine: machine.slug)


def _gpu_or_server(name: str, ram_bytes: int) -> Hardware:
    try:
        entry = catalog.gpu(name)
    except catalog.CatalogError as unknown:
        return _server(name, f"{unknown}; ")
    gpu = hosts.gpu(entry["id"])
    total = (gpu["memory_total_bytes"] if entry["unified_memory"] else None) or ram_bytes
    host = InferenceHost.read({"name": entry["id"], "gpus": [gpu], "memory": {"total_bytes": total}}, "host")
    return Hardware(entry["slug"], entry["name"], host, None)


def _server(name: str, no_gpu: str = "") -> Hardware:
    try:
        entry = catalog.server(name)
    except catalog.CatalogError as unknown:
        raise ContractError(f"hardware: {no_gpu}{unknown}") from None
    try:
        host = InferenceHost.read(hosts.server(entry["id"]), "host")
    except catalog.CatalogError as unknown:
        return Hardware(entry["slug"], entry["name"], None, str(unknown))
    return Hardware(entry["slug"], entry["name"], host, None)
