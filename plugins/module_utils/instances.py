# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""llama-servers that this collection runs on the host, and the memory they hold.

Each has a file `instances/NAME.json` in the state folder, written with its unit:
`{plan_id, request_id, model_id, quant, launch, unit, gpu_memory_bytes: [{uuid, bytes}], host_memory_bytes}`, the devices
in the order of `launch`, the bytes those of its plan. That of a router has `models: {NAME: such a record}`, and each of them is
an instance, since plans are made for models. A new plan adds what an instance holds to what is free when it replaces that
instance, so the memory must be what the running processes hold, not what was planned: then free plus held is what was
free before the server started, and the same plan results. What the processes of a router hold is counted once: its models
share it as their plans do.
"""

from __future__ import annotations

import typing as t

from .host_files import Files
from .processes import Processes

_Kind = t.TypeVar("_Kind")

# Values of --load-mode that do not map the file; auto, the default, does.
_LOADED = ("none", "mlock", "dio")


def read(
    files: Files, state_folder: str, gpus: t.Sequence[dict[str, t.Any]]
) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Return `instances` of the contract in order of name, and problems; `gpus` with their processes named."""
    folder = f"{state_folder}/instances"
    processes = Processes(files)
    instances, problems = [], []
    for file in files.names(folder):
        if not file.endswith(".json") or file.startswith("."):
            continue
        path = f"{folder}/{file}"
        try:
            record = files.json_object(path)
        except ValueError as error:
            problems.append(f"{path} {error}: the instance is not counted; run the role that installed it again")
            continue
        if record is not None:
            instances += _of_unit(file[: -len(".json")], record, processes, gpus)
    return sorted(instances, key=lambda instance: instance["name"]), problems


def _of_unit(
    name: str, record: dict[str, t.Any], processes: Processes, gpus: t.Sequence[dict[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """Return an entry for each model that a unit serves."""
    unit = _of(str, record.get("unit")) or f"llama-server-{name}.service"
    pids = processes.of_unit(unit)
    listed = _of(dict, record.get("models")) or {}
    models = {key: model for key, model in listed.items() if isinstance(model, dict)} or {name: record}
    on_gpus = _on_gpus(unit, bool(pids), list(models.values()), gpus)
    in_ram = _in_ram(pids, list(models.values()), processes)
    return [
        {
            "name": key,
            "plan_id": _of(str, model.get("plan_id")),
            "request_id": _of(str, model.get("request_id")),
            "model": _of(str, model.get("model_id")),
            "quant": _of(str, model.get("quant")),
            "launch": _of(dict, model.get("launch")),
            "unit": unit,
            "active": bool(pids),
            "gpu_memory_bytes": on_gpus[place],
            "host_memory_bytes": in_ram[place],
        }
        for place, (key, model) in enumerate(models.items())
    ]


def _on_gpus(
    unit: str, active: bool, models: t.Sequence[dict[str, t.Any]], gpus: t.Sequence[dict[str, t.Any]]
) -> list[list[dict[str, t.Any]]]:
    """Return what each model holds on each device it was installed for, in that order, the first also on others."""
    planned = [_planned(model) for model in models]
    held: list[dict[str, int]] = [dict.fromkeys(own, 0) for own in planned]
    for gpu in gpus if active else ():
        uuid = gpu["uuid"]
        users = [place for place, own in enumerate(planned) if uuid in own] or [0]
        sizes = [planned[place].get(uuid, 0) for place in users]
        size = _on_gpu(unit, gpu, sum(sizes)) if uuid else 0
        if size:
            for place, share in zip(users, _shares(size, sizes)):
                held[place][uuid] = share
    return [[{"uuid": uuid, "bytes": size} for uuid, size in own.items()] for own in held]


def _planned(model: dict[str, t.Any]) -> dict[str, int]:
    """Return the bytes that a plan counts on each device, in its order."""
    return {
        entry["uuid"]: _size(entry.get("bytes"))
        for entry in _of(list, model.get("gpu_memory_bytes")) or []
        if isinstance(entry, dict) and isinstance(entry.get("uuid"), str)
    }


def _shares(total: int, sizes: t.Sequence[int]) -> list[int]:
    """Return the parts of a total, each as its size is to all of them, alike where these are 0; their sum is the total."""
    weights = sizes if any(sizes) else [1] * len(sizes)
    ends = [total * sum(weights[:place]) // sum(weights) for place in range(len(weights) + 1)]
    return [ends[place + 1] - ends[place] for place in range(len(weights))]


def _on_gpu(unit: str, gpu: dict[str, t.Any], planned: int) -> int:
    """Return what the unit's processes hold on a GPU; where the driver does not tell, what was planned."""
    own = [entry["memory_bytes"] for entry in gpu["processes"] if entry["unit"] == unit]
    if own and None not in own:
        return sum(own)
    return min(planned, _used(gpu)) if own or not gpu["processes"] else 0


def _used(gpu: dict[str, t.Any]) -> int:
    """Return the bytes in use on a GPU, by whomever."""
    if gpu["memory_total_bytes"] is None or gpu["memory_free_bytes"] is None:
        return 0
    return gpu["memory_total_bytes"] - (gpu["memory_reserved_bytes"] or 0) - gpu["memory_free_bytes"]


def _in_ram(pids: t.Sequence[int], models: t.Sequence[dict[str, t.Any]], processes: Processes) -> list[int]:
    """Return the RAM that comes back when the unit ends, as its models share it.

    Weights that are mapped lie in the page cache, which counts as available while the server runs. Loaded weights may
    lie in memory that CUDA has pinned, which shows in no process: then the plans' figure is the larger.
    """
    if not pids:
        return [0] * len(models)
    launches = [_of(dict, model.get("launch")) or {} for model in models]
    planned = [
        _size(model.get("host_memory_bytes")) if launch.get("load_mode") in _LOADED else 0
        for model, launch in zip(models, launches)
    ]
    return _shares(max(sum(processes.held_memory(pid) for pid in pids), sum(planned)), planned)


def _size(value: t.Any) -> int:
    """Return a number of bytes from a file, 0 for what cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else 0


def _of(kind: type[_Kind], value: t.Any) -> _Kind | None:
    """Return a value of the kind that it should be of, else None."""
    return value if isinstance(value, kind) else None
