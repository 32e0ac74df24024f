# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several plans as one unit: llama-server as a router, which starts a llama-server for each model of its preset.

The preset is an INI file: a section is a model, a key is a long option without its dashes. All sections see the same devices,
those of all plans together, so that the names of a plan's devices are counted anew.
"""

from __future__ import annotations

import re
import typing as t

from ..contract.base import ContractError
from ..contract.host import Gpu, InferenceHost
from ..contract.plan import Plan
from . import systemd, unit
from .arguments import Words, option_lines
from .command_line import host_version, version_options, with_options
from .options import Options
from .service import gpus_of

_PRESET = "models_preset"
# Another model, and what begins a comment or a section, would end a value
_UNSAFE = re.compile(r"[\x00-\x1f;#]")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,126}[A-Za-z0-9])?")
_DEVICE = re.compile(r"(CUDA|ROCm|SYCL|Vulkan)(\d+)")
# The options of a launch that name devices, and those that do so behind the = of a pattern
_OF_DEVICES = ("device", "device_draft", "mmproj_device")
_OF_PATTERNS = ("override_tensor", "override_tensor_draft")


class _Model(t.NamedTuple):
    """One model of the router, and more of its options."""

    name: str
    served: unit.Served
    options: dict[str, t.Any]


def llama_server_router(
    models: t.Any,
    host: t.Any,
    name: str,
    port: int,
    address: str = "127.0.0.1",
    version: str | None = None,
    help: str | None = None,
    options: t.Any = None,
    environment: t.Any = None,
    clients: t.Any = None,
    credentials: t.Any = None,
) -> dict[str, t.Any]:
    """Return what the unit `llama-server-NAME.service` of a router says, in the form of `llama_server_service`.

    :param models: `[{name, plan, model, options}]`; `name` is what clients ask for, `options` are more of llama-server's.
    Other parameters are those of `llama_server_service`.
    :raises ValueError: in one sentence, for what cannot be started like that.
    """
    known = InferenceHost.read(host, "host")
    named = _models(models, known)
    served = [model.served for model in named]
    backend = _backend(served)
    gpus = [gpu for gpu in known.gpus if any(gpu is own for model in served for own in model.gpus)]
    engine = host_version(version, served[0].plan.engine.version)
    table = version_options(engine, help)
    preset = "".join(["version = 1\n", *(_section(model, gpus, table) for model in named)])
    secret = unit.credentials(credentials)
    own = {"models_max": len(named), "host": address, "port": port}
    full = with_options(own, options, models_preset=_PRESET, **secret)
    variables = unit.environment(backend, gpus, environment)
    return {
        "engine": engine,
        "command": unit.command_lines(option_lines(full, table), {*secret, _PRESET}, "%d/"),
        "trial_command": [],
        "credentials": [systemd.word(f"{option}:{path}") for option, path in secret.items()],
        "texts": [f"{_PRESET}:{systemd.text(preset)}"],
        "container_options": [],
        "container_own_options": [],
        **unit.parts(served, backend, gpus, variables, address, clients),
        "record": _record(named),
    }


def _record(models: t.Sequence[_Model]) -> dict[str, t.Any]:
    """Return what the next plan shall know of the router: what its models hold together."""
    records = {model.name: unit.record(model.served) for model in models}
    held: dict[str, int] = {}
    for record in records.values():
        for entry in record["gpu_memory_bytes"]:
            held[entry["uuid"]] = held.get(entry["uuid"], 0) + entry["bytes"]
    return {
        "models": records,
        "gpu_memory_bytes": [{"uuid": uuid, "bytes": size} for uuid, size in held.items()],
        "host_memory_bytes": sum(record["host_memory_bytes"] for record in records.values()),
    }


def _models(given: t.Any, host: InferenceHost) -> list[_Model]:
    if not isinstance(given, list) or not given:
        raise ContractError("models: give a list of {name, plan, model}")
    models = []
    for index, entry in enumerate(given):
        if not isinstance(entry, dict) or not {"name", "plan", "model"} <= entry.keys() <= {
            "name",
            "plan",
            "model",
            "options",
        }:
            raise ContractError(f"models[{index}]: give name, plan and model (a path), and options if there are any")
        if not _NAME.fullmatch(str(entry["name"])):
            raise ContractError(f"models[{index}]: a name is letters, digits and . _ : / - between them")
        plan = Plan.read(entry["plan"], f"models[{index}].plan")
        if plan.launch is None or plan.memory is None:
            raise ContractError(
                f"models[{index}]: {plan.model.id} does not fit here ({plan.limit}); nothing can be started"
            )
        served = unit.Served(plan, entry["model"], gpus_of(plan, host))
        models.append(_Model(str(entry["name"]), served, entry.get("options") or {}))
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ContractError(f"models: the name '{twice}' is given twice")
    return models


def _backend(models: t.Sequence[unit.Served]) -> str:
    backends = {model.plan.engine.backend for model in models if model.gpus} or {models[0].plan.engine.backend}
    if len(backends) > 1:
        raise ContractError(
            f"models: they are planned for {' and '.join(sorted(backends))}; one llama-server has one backend"
        )
    return backends.pop()


def _section(model: _Model, gpus: t.Sequence[Gpu], table: Options) -> str:
    launch = t.cast("t.Any", model.served.plan.launch).plain() | {"port": None, "alias": None}
    places = [next(place for place, gpu in enumerate(gpus) if gpu is own) for own in model.served.gpus]
    renamed = {key: _renamed(key, value, places) for key, value in launch.items()}
    lines = option_lines(with_options(renamed, model.options, model=model.served.path, fit="off"), table)
    return "".join([f"\n[{model.name}]\n", *(_line(words) for words in lines), "load-on-startup = true\n"])


def _renamed(option: str, value: t.Any, places: t.Sequence[int]) -> t.Any:
    """Return an option's value with its devices named as all models' devices are counted."""
    if value is None or option not in (*_OF_DEVICES, *_OF_PATTERNS):
        return value
    if isinstance(value, list):
        return [_renamed(option, each, places) for each in value]
    pattern, equals, device = value.rpartition("=") if option in _OF_PATTERNS else ("", "", value)
    found = _DEVICE.fullmatch(device)
    if found is None:
        return value
    if int(found[2]) >= len(places):
        raise ContractError(f"models: '{option}' of a plan names a device that the plan does not use; plan anew")
    return f"{pattern}{equals}{found[1]}{places[int(found[2])]}"


def _line(words: Words) -> str:
    key, *values = words[0].removeprefix("--"), *words[1:]
    if len(values) > 1:
        raise ContractError(f"models: option '{key}' takes several values, which a preset cannot hold")
    text = values[0] if values else "true"
    if _UNSAFE.search(text) or text != text.strip() or not text:
        raise ContractError(
            f"models: option '{key}' has a value that a preset cannot hold: no line breaks, ; or #, no space around it"
        )
    return f"{key} = {text}\n"
