# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site: which pages there are, written to a folder; what an earlier run wrote and is not wanted any more goes."""

from __future__ import annotations

import functools
import itertools
import json
import re
import typing as t
from pathlib import Path

import jinja2
import markupsafe

from ...catalog import access as catalog
from ...contract.base import SCHEMA_VERSION, Contract
from ...contract.host import InferenceHost
from .. import combinations, folder
from ..combinations import Selection
from . import bars, calculator, fleet_page, matrix, plan_page, words
from .fleet_page import FleetPlans
from .planned import Planned, planned

HERE = Path(__file__).parent
ASSETS = ("site.css", "site.js")
INDEX = "index.json"
CALCULATOR = "calculator.html"
# The GPU that the calculator begins with.
CHOSEN = "NVIDIA GeForce RTX 4090"

# What an earlier run wrote, and nothing else, may be removed.
_OURS = re.compile(r"(?:[a-z0-9_.-]+/){0,3}[a-z0-9_.-]+\.(?:html|css|js|yaml)")


class Site(Contract):
    """What every page has in common."""

    title: str
    base_url: str
    navigation: list[tuple[str, str]]
    data_date: str
    engine: str


class File(t.NamedTuple):
    """A file of the site, by its path from the root."""

    path: str
    text: str


class Request(Contract):
    """What to make a site of: a selection of the catalog, a fleet, or both.

    `base_url` is where it will be published, for commands that fetch from it. `hosts` has the facts of the fleet's hosts.
    """

    title: str = "Where models run"
    base_url: str = ""
    selection: Selection | None = None
    fleet: FleetPlans | None = None
    hosts: dict[str, InferenceHost | None] = {}


def publish(dest: str, request: Request, check: bool = False) -> dict[str, t.Any]:
    """Write the site to `dest`; a file whose content stays is not touched.

    :param check: only say what would change.
    :returns: `{changed, pages, written, removed}`, counts but for the first.
    :raises ValueError: for a name that the catalog does not have.
    """
    root = Path(dest).expanduser()
    known = planned(request.selection) if request.selection else []
    files: list[str] = []
    written = 0
    for file in _files(request, known):
        files.append(file.path)
        written += folder.write(root / file.path, file.text, check)
    removed = folder.remove(root, _earlier(root) - set(files), check)
    # Last, so that it never names a file that is not there.
    changed_index = folder.write(root / INDEX, _index(known, files), check)
    return {
        "changed": bool(written or removed or changed_index),
        "pages": sum(path.endswith(".html") for path in files),
        "written": written,
        "removed": removed,
    }


def _files(request: Request, known: list[Planned]) -> t.Iterator[File]:
    site = _site(request, known)
    for name in ASSETS:
        yield File(f"assets/{name}", (HERE / "assets" / name).read_text(encoding="utf-8"))
    models = [list(group) for _slug, group in itertools.groupby(known, key=lambda one: one.slug)]
    for made in combinations.in_parallel(functools.partial(_of_model, site), models):
        yield from made
    if known:
        yield from _calculator(site, models)
    if request.fleet is not None:
        yield from _of_fleet(site, request.fleet, {name: host for name, host in request.hosts.items() if host})
    yield File("index.html", page("index.html", "index.html", site, _front(site, models)))


def _site(request: Request, known: list[Planned]) -> Site:
    navigation = [
        *([("index.html", "Models"), (CALCULATOR, "Calculator")] if known else []),
        *([(fleet_page.FIRST, "Fleet")] if request.fleet is not None else []),
    ]
    engine = catalog.engine(request.selection.engine if request.selection else None)
    return Site(
        title=request.title,
        base_url=request.base_url,
        navigation=navigation,
        data_date=catalog.data_date(),
        engine=engine["version"],
    )


def _of_model(site: Site, of_model: list[Planned]) -> list[File]:
    """Return all files of one model."""
    files = [File(path, page("model.html", path, site, view)) for path, view in matrix.views(of_model)]
    name = catalog.model(of_model[0].model)["name"]
    crumbs = [("index.html", "Models"), (f"{of_model[0].slug}/index.html", name)]
    for one in of_model:
        files += _of_plan(site, one, of_model, crumbs)
    return files


def _of_plan(site: Site, one: Planned, siblings: list[Planned], crumbs: list[tuple[str, str]]) -> list[File]:
    view = plan_page.view(one, siblings, site.base_url, crumbs)
    text = page("plan.html", one.path, site, {**view, "kinds": _kinds(view), "plan_id": one.plan and one.plan.plan_id})
    return [File(one.path, text), *([File(one.values_path, one.values)] if one.values else [])]


def _calculator(site: Site, models: list[list[Planned]]) -> t.Iterator[File]:
    """Yield the calculator's page, and a script with the data of each model: the page loads those that are chosen."""
    listed = []
    for data in combinations.in_parallel(calculator.data, models):
        if data:
            text = json.dumps(data, separators=(",", ":"))
            yield File(f"calculator/{data['slug']}.js", f"calculatorData({text});\n")
            listed.append({key: data[key] for key in ("slug", "name", "shape")})
    common = {**calculator.common(site.engine), "models": listed}
    # Inside a script element only the end of one must not occur; < is as good as its escape in JSON.
    common_json = markupsafe.Markup(json.dumps(common, separators=(",", ":")).replace("<", "\\u003c"))
    view = {"title": "Calculator", "models": listed, "common": common, "common_json": common_json}
    yield File(CALCULATOR, page("calculator.html", CALCULATOR, site, {**view, "chosen": CHOSEN}))


def _of_fleet(site: Site, fleet: FleetPlans, facts: dict[str, InferenceHost]) -> t.Iterator[File]:
    views, plans = fleet_page.files(fleet, facts)
    for path, view in views:
        yield File(path, page("fleet.html", path, site, view))
    for one in plans:
        yield from _of_plan(site, one, [], [(fleet_page.FIRST, "Fleet")])


def _kinds(view: dict[str, t.Any]) -> list[tuple[str, str]]:
    """Return the legend of a page's bars: class and label of what is in one of them."""
    seen = {segment.kind for drawn in view.get("bars", []) for segment in drawn.segments}
    names = [(kind.replace(" ", "-"), label) for kind, label in bars.KINDS.items()]
    return [(css, label) for css, label in names if css in seen]


def _front(site: Site, models: list[list[Planned]]) -> dict[str, t.Any]:
    rows = []
    for of_model in models:
        entry = catalog.model(of_model[0].model)
        active = entry.get("active_parameters") or entry.get("parameters")
        rows.append(
            {
                "path": f"{of_model[0].slug}/index.html",
                "name": entry["name"],
                "vendor": entry.get("vendor") or "",
                "parameters": words.billions(entry.get("parameters")),
                "parameters_order": entry.get("parameters") or 0,
                "active": words.billions(active),
                "active_order": active or 0,
                "context": f"{entry['trained_context']:,}" if entry.get("trained_context") else "unknown",
                "context_order": entry.get("trained_context") or 0,
                "can": ", ".join(entry.get("capabilities") or []),
                "fits": sum(one.plan is not None and one.plan.fits for one in of_model),
                "all": len(of_model),
            }
        )
    elsewhere = [entry for entry in site.navigation if entry[0] != "index.html"]
    return {"title": site.title, "models": rows, "elsewhere": elsewhere}


@functools.cache
def _templates() -> jinja2.Environment:
    # Names of models and hosts are text, whatever is in them.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, path: str, site: Site, view: dict[str, t.Any]) -> str:
    """Return a page as text.

    :param path: from the root of the site; links go by it, so that pages work from a file.
    """
    described = {"description": "Where each model runs, how fast, and with which settings.", **view}
    return _templates().get_template(template).render(root="../" * path.count("/"), here=path, site=site, **described)


def _index(known: list[Planned], files: list[str]) -> str:
    """Return the index as JSON: a line for each combination, and all files."""
    lines = [
        {
            "path": one.path,
            "model": one.slug,
            "quant": one.quant,
            "hardware": one.machine.slug,
            "placement": one.plan.placement if one.plan else None,
            "fits": one.plan.fits if one.plan else False,
            "why": one.why,
        }
        for one in known
    ]
    combinations_text = ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    head = json.dumps({"schema": SCHEMA_VERSION, "data_date": catalog.data_date()})[:-1]
    return f'{head}, "combinations": [\n{combinations_text}\n], "files": {json.dumps(sorted(files), indent=0)}}}\n'


def _earlier(root: Path) -> set[str]:
    """Return the paths that the index of an earlier run lists."""
    try:
        paths = {str(path) for path in json.loads((root / INDEX).read_text(encoding="utf-8"))["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    return {path for path in paths if _OURS.fullmatch(path) and ".." not in path}
