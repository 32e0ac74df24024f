# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""llama-servers that this collection runs on the host, and the memory they hold.

Each has a file `instances/NAME.json` in the state folder, written with its unit:
`{plan_id, request_id, model_id, quant, launch, unit, gpu_memory_bytes: [{uuid, bytes}], host_memory_bytes}`, the devices
in the order of `launch`, the bytes those of its plan. A new plan adds what an instance holds to what is free when it replaces that
instance, so the memory must be what the running processes hold, not what was planned: then free plus held is what was
free before the server started, and the same plan results.
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
            instances.append(_instance(file[: -len(".json")], record, processes, gpus))
    return instances, problems


def _instance(
    name: str, record: dict[str, t.Any], processes: Processes, gpus: t.Sequence[dict[str, t.Any]]
) -> dict[str, t.Any]:
    unit = _of(str, record.get("unit")) or f"llama-server-{name}.service"
    pids = processes.of_unit(unit)
    return {
        "name": name,
        "plan_id": _of(str, record.get("plan_id")),
        "request_id": _of(str, record.get("request_id")),
        "model": _of(str, record.get("model_id")),
        "quant": _of(str, record.get("quant")),
        "launch": _of(dict, record.get("launch")),
        "unit": unit,
        "active": bool(pids),
        "gpu_memory_bytes": _on_gpus(unit, bool(pids), record, gpus),
        "host_memory_bytes": _in_ram(pids, record, processes) if pids else 0,
    }


def _on_gpus(
    unit: str, active: bool, record: dict[str, t.Any], gpus: t.Sequence[dict[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """Return what the unit holds on each device it was installed for, in that order, then on others it was found on."""
    planned = {
        entry["uuid"]: _size(entry.get("bytes"))
        for entry in _of(list, record.get("gpu_memory_bytes")) or []
        if isinstance(entry, dict) and isinstance(entry.get("uuid"), str)
    }
    held = {gpu["uuid"]: _on_gpu(unit, gpu, planned.get(gpu["uuid"], 0)) for gpu in gpus if active and gpu["uuid"]}
    devices = [*planned, *(uuid for uuid, size in held.items() if size and uuid not in planned)]
    return [{"uuid": uuid, "bytes": held.get(uuid, 0)} for uuid in devices]


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


def _in_ram(pids: t.Sequence[int], record: dict[str, t.Any], processes: Processes) -> int:
    """Return the RAM that comes back when the unit ends.

    Weights that are mapped lie in the page cache, which counts as available while the server runs. Loaded weights may
    lie in memory that CUDA has pinned, which shows in no process: then the plan's figure is the larger.
    """
    loaded = (_of(dict, record.get("launch")) or {}).get("load_mode") in _LOADED
    planned = _size(record.get("host_memory_bytes")) if loaded else 0
    return max(sum(processes.held_memory(pid) for pid in pids), planned)


def _size(value: t.Any) -> int:
    """Return a number of bytes from a file, 0 for what cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else 0


def _of(kind: type[_Kind], value: t.Any) -> _Kind | None:
    """Return a value of the kind that it should be of, else None."""
    return value if isinstance(value, kind) else None
