# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doors call: plain data in, plain data out. A filter and an action of one name call one function here."""

from __future__ import annotations

import typing as t

from .catalog import access as catalog
from .catalog.repositories import require_repository
from .contract.base import ContractError, call
from .contract.host import Gpu, InferenceHost
from .contract.launch import Launch
from .contract.plan import Plan
from .contract.request import FitRequest, HardwareWish, ModelWish
from .measurement import advice, compare
from .measurement.run import Seen, another_model, run_of
from .memory.beside import Beside
from .memory.estimate import estimate
from .model import source
from .planner import fleet, hardware
from .planner.fit import fit, named
from .planner.sharing import share_out
from .preflight import verdict
from .preflight.question import question
from .render import folder, helmfile, helmfile_tree
from .render.pages import site
from .render.service import gpus_of
from .render.summary import summary
from .render.table import table


def memory_estimate(
    model: t.Any,
    launch: t.Any = None,
    gpus: list[t.Any] | None = None,
    quant: str | None = None,
    engine: str | None = None,
    mmproj: t.Any = None,
    model_draft: t.Any = None,
    lora: list[t.Any] | None = None,
) -> dict[str, t.Any]:
    """Return the memory_estimate of a launch, as plain data.

    :param mmproj: header of the projector that the launch loads; `model_draft` and `lora` (a list) likewise.
    :raises ValueError: for arguments that break the contract, and for a launch that llama-server refuses.
    """
    devices = [Gpu.read(gpu, f"gpus[{index}]") for index, gpu in enumerate(gpus or [])]
    for index, device in enumerate(devices):
        if device.memory_free_bytes is None:
            raise ContractError(f"gpus[{index}]: 'memory_free_bytes' is missing; it decides how layers are shared out")
    beside = Beside(
        projector=source.model(mmproj) if mmproj else None,
        draft=source.model(model_draft, quant) if model_draft else None,
        adapters=tuple(source.model(header) for header in lora or []),
    )
    wanted = Launch.read(launch or {}, "launch")
    version = catalog.engine(engine)["version"]
    return estimate(source.model(model, quant), wanted, devices, version, beside=beside).plain()


def model_fit(host: t.Any = None, models: t.Any = None, **wish: t.Any) -> dict[str, t.Any]:
    """Return the plan of one model for one host, as plain data; of `models`, `{plans, unplaced}` of all at once.

    :raises ValueError: for arguments that break the contract; that a model does not fit is a plan like any other.
    """
    if not host:
        raise ContractError("host: nothing is known of this host; run prositronic.infra.gpu_facts on it first")
    known = InferenceHost.read(host, "host")
    if models is None:
        return fit(known, FitRequest.read(wish, "arguments")).plain()
    given = sorted(name for name, value in wish.items() if value is not None)
    if given:
        raise ContractError(f"models: each entry has its own options; '{given[0]}' beside it belongs into the entries")
    wishes = _wishes(models)
    plans = [named(plan, known) for plan in share_out(known, wishes)]
    return {
        "plans": [plan.plain() for plan in plans],
        "unplaced": [wish.name for wish, plan in zip(wishes, plans, strict=True) if not plan.fits],
    }


def fleet_fit(hosts: dict[str, t.Any], models: t.Any = None, together: bool = False) -> dict[str, t.Any]:
    """Return `{plans, hosts, missing, refused, summary, table}` for all hosts and models.

    A host without facts is named in `missing`; one whose facts break the contract, or that no build of the engine runs on, in
    `refused` with the reason.

    :param together: whether the models shall run at once on each host.
    """
    wishes = _wishes(models)
    missing = sorted(name for name, host in hosts.items() if not host)
    known, refused = {}, {}
    for name, host in hosts.items():
        if not host:
            continue
        try:
            known[name] = InferenceHost.read(host, "inference_host")
        except ContractError as error:
            refused[name] = str(error)  # the others shall have their plans
    answer = fleet.fit_all(known, wishes, together)
    answer.refused.update(refused)
    return {
        "plans": [plan.plain() for plan in answer.plans],
        "hosts": answer.hosts,
        "missing": missing,
        "refused": answer.refused,
        "summary": summary(answer),
        "table": table(known, answer, missing),
    }


def _wishes(models: t.Any) -> list[ModelWish]:
    """Return a wish for each model and replica."""
    if not isinstance(models, list) or not models:
        raise ContractError("models: give a list with at least one {name, model, quant}")
    wishes = [one for index, entry in enumerate(models) for one in ModelWish.read(entry, f"models[{index}]").each()]
    names = [wish.name for wish in wishes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ContractError(f"models: the name '{twice}' is given twice; each model needs its own")
    return wishes


def smallest_hardware(model: t.Any, **wish: t.Any) -> dict[str, t.Any]:
    """Return the least hardware of the catalog for a model, as plain data.

    :raises ValueError: for arguments that break the contract, and names that the catalog does not have.
    """
    return hardware.smallest_hardware(HardwareWish.read({**wish, "model": model}, "arguments")).plain()


def fitting(plan: t.Any) -> bool:
    """Return whether a plan runs its model from memory."""
    return Plan.read(plan, "plan").fits


def model_source(plan: t.Any) -> dict[str, t.Any]:
    """Return where the files of a plan are known to be: a `gguf_model_source`.

    :raises ValueError: for what is no plan, and where nobody was seen to publish this quant.
    """
    planned = Plan.read(plan, "plan")
    if planned.model.files:
        return {"path": planned.model.files[0]["path"]}
    repository, has_quant = require_repository(planned.model.id, planned.quant.name)
    if not has_quant:
        raise ContractError(
            f"nobody is known to publish {planned.model.id} in {planned.quant.name}: say where it comes from,"
            f" such as source={{'hub': {{'repository': '{repository}', 'quant': '{planned.quant.name}'}}}}"
        )
    return {"hub": {"repository": repository, "quant": planned.quant.name}}


def helmfile_values(plan: t.Any, **named: t.Any) -> str:
    """Return the state values of a plan for helmfile, as YAML text; see `render/helmfile.py` for the arguments."""
    return t.cast("str", call(helmfile.helmfile_values, {"plan": plan, **named}))


def helmfile_values_tree(dest: str, check: bool = False, **selection: t.Any) -> dict[str, t.Any]:
    """Write the values of every combination of a selection below `dest`; with `check`, only say what would change."""
    wanted = helmfile_tree.Selection.read(selection, "arguments")
    with folder.writable(dest):
        return helmfile_tree.publish(dest, wanted, check)


def preflight_question(plan: t.Any, host: t.Any, **named: t.Any) -> dict[str, t.Any]:
    """Return what llama-fit-params is asked about a plan; see `preflight/question.py` for the arguments."""
    read = {"plan": Plan.read(plan, "plan"), "host": InferenceHost.read(host, "host")}
    return t.cast("dict[str, t.Any]", call(question, {**read, **named}))


def preflight(
    plan: t.Any, host: t.Any, now: t.Any, gguf: t.Any = None, told: t.Any = None, name: str | None = None
) -> dict[str, t.Any]:
    """Return `{problems, table}` of a plan, what the engine tells of it, and what is free.

    :param host: what the plan was made for, `now` the same host as it is; `gguf` the file that would be served.
    :param told: the buffers of each device by llama-fit-params; null where it could not be asked.
    :param name: the instance that would be replaced.
    """
    planned = Plan.read(plan, "plan")
    try:
        compared = verdict.rows(planned, source.model(gguf, None), told) if told else []
    except ValueError as error:
        raise ContractError(f"the file is not what was planned, {error}") from error
    problems = verdict.differences(compared) + verdict.shortages(
        planned, gpus_of(planned, InferenceHost.read(host, "host")), InferenceHost.read(now, "host"), name
    )
    return {"problems": problems, "table": verdict.lines(compared) if compared else []}


def report_site(dest: str, check: bool = False, **wanted: t.Any) -> dict[str, t.Any]:
    """Write the site of a selection of the catalog, of a fleet or of both to `dest`; with `check`, only say what would change.

    :param wanted: see `render/pages/site.py`; of a fleet, what fleet_fit returned.
    """
    if isinstance(wanted.get("fleet"), dict):
        keys = ("plans", "hosts", "missing")
        wanted["fleet"] = {key: wanted["fleet"][key] for key in keys if key in wanted["fleet"]}
    request = site.Request.read(wanted, "arguments")
    with folder.writable(dest):
        return site.publish(dest, request, check)


def measured_run(
    seen: t.Any, plan: t.Any, host: t.Any, model: t.Any = None, name: str | None = None
) -> dict[str, t.Any]:
    """Return `{run, figures, table, problems, advice}` of what llama_server_info or llama_bench returned.

    :param model: the file that ran; with it the memory of a benchmark is compared too.
    :param name: the instance that was looked at.
    :raises ValueError: nothing ran.
    """
    seen = Seen.read(seen, "seen").plain()
    planned, machine = Plan.read(plan, "plan"), InferenceHost.read(host, "host")
    run = run_of(seen, planned, machine, name)
    context = seen.get("context")
    benchmarked = compare.benchmark_memory(planned, source.model(model, None), context) if model and context else None
    found = compare.figures(planned, run, benchmarked)
    limits = {entry.get("index"): entry.get("clocks_limited_by") for entry in seen.get("gpus") or []}
    gpus = [
        gpu.model_copy(update={"clocks_limited_by": limits.get(machine.gpus.index(gpu)) or gpu.clocks_limited_by})
        for gpu in gpus_of(planned, machine)
    ]
    return {
        "run": run.plain(),
        "figures": [figure.plain() for figure in found],
        "table": compare.table(found),
        "problems": another_model(run, planned) + compare.differences(found),
        "advice": advice.causes(planned, gpus, machine, found, seen.get("unit"), seen.get("busy_cores")),
    }
