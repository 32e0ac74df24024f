# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State values for every combination of models, quants and hardware of the catalog, as files to publish.

`values/<model>/<quant>/<gpu or server>.yaml`, named by the catalog's slugs, and `index.json` with a line for each combination,
also for those that cannot run and why. Equal data give equal bytes: nothing of the day or the machine is in them.
"""

from __future__ import annotations

import functools
import json
import re
import typing as t
from pathlib import Path

from ..catalog import access as catalog
from ..catalog.repositories import require_repository
from ..contract.base import SCHEMA_VERSION
from ..contract.plan import Plan
from ..contract.request import FitRequest
from ..planner.fit import fit
from . import combinations, folder
from .combinations import Branch, Hardware
from .helmfile import helmfile_values, release_name

FOLDER = "values"
INDEX = "index.json"

# What an earlier run wrote, and nothing else, may be removed.
_LEAF = re.compile(rf"{FOLDER}/[a-z0-9-]+/[a-z0-9_-]+/[a-z0-9-]+\.yaml")


class Selection(combinations.Selection):
    """What to write. For a GPU alone the values ask the cluster for the RAM that the plan needs, `ram_bytes` at most."""

    namespace: str = "llama-server"


class Leaf(t.NamedTuple):
    """One combination. `entry` is its line of the index; `text` is None where it cannot run."""

    entry: dict[str, t.Any]
    text: str | None


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
            written += folder.write(root / leaf.entry["path"], leaf.text, check)
    kept = {entry["path"] for entry in entries if entry["path"]}
    removed = folder.remove(root, _earlier(root) - kept, check)
    # Last, so that it never names a file that is not there.
    changed_index = folder.write(root / INDEX, _index(entries), check)
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
    work = functools.partial(_leaves_of, selection)
    for grown in combinations.in_parallel(work, combinations.branches(selection)):
        yield from grown


def _leaves_of(selection: Selection, branch: Branch) -> list[Leaf]:
    return [_leaf(selection, branch, machine) for machine in branch.machines]


def _leaf(selection: Selection, branch: Branch, machine: Hardware) -> Leaf:
    slug, model, quant, _machines = branch
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
