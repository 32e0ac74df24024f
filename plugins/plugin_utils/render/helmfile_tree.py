# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State values for every combination of models, quants and hardware of the catalog, as files to publish.

`values/<model>/<quant>/<gpu or server>.yaml`, named by the catalog's slugs, and `index.json` with a line for each combination,
also for those that cannot run and why. Equal data give equal bytes: nothing of the day or the machine is in them.
"""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import re
import tempfile
import typing as t
from pathlib import Path

from .._pydantic import Field, field_validator
from ..catalog import access as catalog
from ..catalog import hosts
from ..contract.base import SCHEMA_VERSION, Contract, ContractError
from ..contract.host import InferenceHost
from ..contract.plan import Plan
from ..contract.request import Allow, ContextWish, FitRequest
from ..planner.fit import fit
from .helmfile import helmfile_values, release_name
from .helmfile_weights import require_repository

FOLDER = "values"
INDEX = "index.json"

# What an earlier run wrote, and nothing else, may be removed.
_LEAF = re.compile(rf"{FOLDER}/[a-z0-9-]+/[a-z0-9_-]+/[a-z0-9-]+\.yaml")

Names = t.Annotated[list[str], Field(min_length=1)]


class Selection(Contract):
    """What to write: each of `models`, `quants` and `hardware` is a list of names of the catalog, or `all`.

    A server has its own RAM. For a GPU alone there is `ram_bytes`: the values then ask the cluster for what the plan needs.
    """

    models: Names
    quants: Names
    hardware: Names
    ram_bytes: int = Field(1 << 40, gt=0)
    context: ContextWish = ContextWish()
    parallel: int | None = Field(None, gt=0)
    allow: Allow = Allow()
    engine: str | None = None
    namespace: str = "llama-server"

    @field_validator("models", "quants", "hardware", mode="before")
    @classmethod
    def _listed(cls, value: t.Any) -> t.Any:
        return [value] if isinstance(value, str) else value

    @field_validator("context", mode="before")
    @classmethod
    def _tokens(cls, value: t.Any) -> t.Any:
        return {"wanted": value} if isinstance(value, (int, str)) and not isinstance(value, bool) else value


class Leaf(t.NamedTuple):
    """One combination. `entry` is its line of the index; `text` is None where it cannot run."""

    entry: dict[str, t.Any]
    text: str | None


class _Hardware(t.NamedTuple):
    slug: str
    host: InferenceHost | None
    why: str | None


class _Branch(t.NamedTuple):
    """All hardware for one model and quant."""

    slug: str
    model: str
    quant: str
    machines: list[_Hardware]
    selection: Selection


def publish(dest: str, selection: Selection, check: bool = False) -> dict[str, t.Any]:
    """Write the tree below `dest`; a file whose content stays is not touched, one that an earlier run wrote is removed.

    :param check: only say what would change.
    :returns: `{changed, files, written, removed, without: [{model, quant, hardware, why}]}`, counts but for the last.
    :raises ValueError: for a name that the catalog does not have.
    """
    root = Path(dest).expanduser()
    entries: list[dict[str, t.Any]] = []
    written = 0
    for leaf in leaves(selection):
        entries.append(leaf.entry)
        if leaf.text is not None:
            written += _write(root / leaf.entry["path"], leaf.text, check)
    kept = {entry["path"] for entry in entries if entry["path"]}
    removed = _remove(root, _earlier(root) - kept, check)
    # Last, so that it never names a file that is not there.
    changed_index = _write(root / INDEX, _index(entries), check)
    return {
        "changed": bool(written or removed or changed_index),
        "files": len(kept),
        "written": written,
        "removed": removed,
        "without": [
            {key: entry[key] for key in ("model", "quant", "hardware", "why")} for entry in entries if not entry["path"]
        ],
    }


def leaves(selection: Selection) -> t.Iterator[Leaf]:
    """Return every combination, in the order of the index: by model, quant and hardware."""
    machines = _hardware(selection)
    branches = [
        _Branch(slug, identifier, quant, machines, selection)
        for slug, identifier in _models(selection.models).items()
        for quant in _quants(selection.quants)
    ]
    # Forked, since a fresh process does not know the collection; what is known of a model and quant stays in its process.
    workers = min(len(os.sched_getaffinity(0)), len(branches)) if hasattr(os, "sched_getaffinity") else 1
    if workers < 2:
        for branch in branches:
            yield from _leaves_of(branch)
        return
    with concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        for grown in pool.map(_leaves_of, branches):
            yield from grown


def _leaves_of(branch: _Branch) -> list[Leaf]:
    return [_leaf(branch, machine) for machine in branch.machines]


def _leaf(branch: _Branch, machine: _Hardware) -> Leaf:
    slug, model, quant, _machines, selection = branch
    path = f"{FOLDER}/{slug}/{quant.lower()}/{machine.slug}.yaml"
    entry: dict[str, t.Any] = {"path": None, "model": slug, "quant": quant, "hardware": machine.slug}
    if machine.host is None:
        return Leaf({**entry, "placement": None, "why": machine.why}, None)
    wish = FitRequest(
        model=model,
        quant=quant,
        context=selection.context,
        parallel=selection.parallel,
        allow=selection.allow,
        engine=selection.engine,
        advice="never",
    )
    try:
        # First what costs nothing to know
        require_repository(model, quant)
        plan = fit(machine.host, wish, with_ladder=False)
        entry["placement"] = plan.placement
        name = release_name(slug, quant)
        text = helmfile_values(
            plan, name=name, namespace=selection.namespace, host=machine.host, date=catalog.data_date()
        )
    except ValueError as refused:
        return Leaf({**entry, "placement": entry.get("placement"), "why": str(refused)}, None)
    return Leaf({**entry, "path": path, **_told(plan)}, text)


def _told(plan: Plan) -> dict[str, t.Any]:
    band = plan.speed.decode_tokens_per_second if plan.speed else None
    return {
        "fits": plan.fits,
        "plan_id": plan.plan_id,
        "context": plan.memory.n_ctx_seq if plan.memory else None,
        "decode_tokens_per_second": band.plain() if band else None,
        "minimum_ram_bytes": plan.requirements.minimum_ram_bytes,
        "image": plan.engine.image,
    }


def _models(names: list[str]) -> dict[str, str]:
    """Return `{slug: id}` in the order of slugs."""
    wanted = catalog.names("model") if names == ["all"] else names
    entries = [catalog.model(name) for name in wanted]
    return {entry["slug"]: entry["id"] for entry in sorted(entries, key=lambda entry: str(entry["slug"]))}


def _quants(names: list[str]) -> list[str]:
    wanted = catalog.names("quant") if names == ["all"] else names
    entries = [catalog.quant(name) for name in wanted]
    return sorted({entry["id"] for entry in entries if entry["kind"] in ("recipe", "mix")})


def _hardware(selection: Selection) -> list[_Hardware]:
    """Return machines by slug: servers as they are sold, and GPUs alone."""
    wanted = [*catalog.names("gpu"), *catalog.names("server")] if selection.hardware == ["all"] else selection.hardware
    servers = set(catalog.names("server"))
    machines = [_server(name) if name in servers else _gpu_or_server(name, selection.ram_bytes) for name in wanted]
    return sorted({machine.slug: machine for machine in machines}.values(), key=lambda machine: machine.slug)


def _gpu_or_server(name: str, ram_bytes: int) -> _Hardware:
    try:
        entry = catalog.gpu(name)
    except catalog.CatalogError as unknown:
        return _server(name, f"{unknown}; ")
    gpu = hosts.gpu(entry["id"])
    total = (gpu["memory_total_bytes"] if entry["unified_memory"] else None) or ram_bytes
    host = InferenceHost.read({"name": entry["id"], "gpus": [gpu], "memory": {"total_bytes": total}}, "host")
    return _Hardware(entry["slug"], host, None)


def _server(name: str, no_gpu: str = "") -> _Hardware:
    try:
        entry = catalog.server(name)
    except catalog.CatalogError as unknown:
        raise ContractError(f"hardware: {no_gpu}{unknown}") from None
    try:
        return _Hardware(entry["slug"], InferenceHost.read(hosts.server(entry["id"]), "host"), None)
    except catalog.CatalogError as unknown:
        return _Hardware(entry["slug"], None, str(unknown))


def _index(entries: list[dict[str, t.Any]]) -> str:
    """Return the index as JSON with a line for each combination."""
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    head = json.dumps({"schema": SCHEMA_VERSION, "data_date": catalog.data_date()})[:-1]
    return f'{head}, "combinations": [\n{lines}\n]}}\n'


def _earlier(root: Path) -> set[str]:
    """Return the paths that the index of an earlier run lists."""
    try:
        index = json.loads((root / INDEX).read_text(encoding="utf-8"))
        paths = {str(entry["path"]) for entry in index["combinations"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    return {path for path in paths if _LEAF.fullmatch(path)}


def _remove(root: Path, paths: set[str], check: bool) -> int:
    there = [root / path for path in sorted(paths) if (root / path).is_file()]
    for path in there if not check else []:
        path.unlink()
        for folder in (path.parent, path.parent.parent):
            if not any(folder.iterdir()):
                folder.rmdir()
    return len(there)


def _write(path: Path, text: str, check: bool) -> bool:
    """Write a file whole or not at all, and only if its content changes; say whether it does."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    if check:
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True
