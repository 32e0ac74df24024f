# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a unit says of a llama-server, whatever it serves: command, environment, devices, secrets, memory and time it needs."""

from __future__ import annotations

import posixpath
import re
import typing as t

from ..contract.base import ContractError
from ..contract.host import Gpu
from ..contract.plan import Plan
from . import network, systemd
from .arguments import Words
from .backends import BACKENDS

# A model is loaded at the rate of its disk, a network's or a hard disk's at worst; the rest is for making contexts.
_SLOWEST_BYTES_PER_SECOND = 50_000_000
_START_SECONDS = 120
# Names that end a word with what is always a secret, or the whole name with what mostly is
_SECRET = re.compile(
    r"(?:TOKEN|SECRETS?|PASSWORDS?|PASSWD|PASSPHRASE|CREDENTIALS?|API_?KEYS?|AUTHORIZATION)(?:$|[_\d])"
    r"|(?:^|_)(?:KEYS?|PASS|AUTH|PAT)_?\d*$"
    r"|_PWD$",
    re.IGNORECASE,
)
# As in https://user:password@host, also without the scheme, as a proxy may be written
_USER_IN_URL = re.compile(r"://[^/?#\s]*@|^[^/?#\s:@]+:[^/?#\s]*@")
# Variables that would undo what a plan decides, beside those that choose the devices
_DECIDED = {"MTMD_BACKEND_DEVICE": "where the projector is"}


class Served(t.NamedTuple):
    """One model of a unit: its plan, the path of its (first) file, and the host's GPUs that it uses, in the plan's order."""

    plan: Plan
    path: str
    gpus: list[Gpu]


def parts(
    models: t.Sequence[Served],
    backend: str,
    gpus: t.Sequence[Gpu],
    variables: t.Mapping[str, str],
    address: str,
    clients: t.Any,
) -> dict[str, t.Any]:
    """Return what does not depend on how the server is called; `gpus` are those of all models."""
    needs = BACKENDS[backend]
    return {
        "environment": [systemd.word(f"{name}={value}") for name, value in variables.items()],
        "addresses": network.allowed(address, clients or []),
        "model_folders": list(dict.fromkeys(systemd.word(folder) for model in models for folder in folders(model))),
        "uses_gpu": bool(gpus),
        "device_allow": list(needs.device_allow) if gpus else [],
        "user_groups": list(needs.user_groups) if gpus else [],
        "writes_code": needs.writes_code and bool(gpus),
        "locks_memory": any("mlock" in (launch.load_mode or "") for model in models if (launch := model.plan.launch)),
        "memory_low_bytes": sum(model.plan.memory.host.total_bytes for model in models if model.plan.memory),
        "start_timeout_seconds": _START_SECONDS
        + sum(model.plan.requirements.disk_bytes for model in models) // _SLOWEST_BYTES_PER_SECOND,
    }


def folders(model: Served) -> list[str]:
    """Return the folders that a model is read from, with that of its projector.

    :raises ContractError: for a projector whose folder is not known.
    """
    launch = model.plan.launch
    paths = [model.path]
    if launch and launch.mmproj:
        if not launch.mmproj.startswith("/"):
            raise ContractError(
                "plan: mmproj of its launch must be an absolute path; give gguf_info one, and plan anew"
            )
        paths.append(launch.mmproj)
    return list(dict.fromkeys(map(posixpath.dirname, paths)))


def record(model: Served) -> dict[str, t.Any]:
    """Return what the next plan shall know of a model that is served."""
    memory = model.plan.memory
    devices = memory.devices if memory else []
    return {
        "plan_id": model.plan.plan_id,
        "request_id": model.plan.request_id,
        "launch": model.plan.launch.plain() if model.plan.launch else None,
        "model": model.path,
        "model_id": model.plan.model.id,
        "quant": model.plan.quant.name,
        "gpu_memory_bytes": [
            {"uuid": gpu.uuid, "bytes": device.total_bytes} for gpu, device in zip(model.gpus, devices, strict=True)
        ],
        "host_memory_bytes": memory.host.total_bytes if memory else 0,
    }


def environment(backend: str, gpus: t.Sequence[Gpu], more: t.Any) -> dict[str, str]:
    """Return the variables of the environment: those that leave only these GPUs visible, then `more`, sorted.

    :raises ContractError: for what is no variable, an option in disguise (`LLAMA_ARG_*`), or a secret, which all can read.
    """
    if not isinstance(more or {}, dict):
        raise ContractError("environment: give a mapping of names to values, such as {GGML_CUDA_P2P: 1}")
    variables = dict(text.split("=", 1) for text in BACKENDS[backend].selection(gpus))
    for name, value in sorted((more or {}).items(), key=str):
        if not isinstance(name, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise ContractError("environment: names are letters, digits and underscores, and begin with no digit")
        if name in variables:
            raise ContractError(f"environment: {name} is decided by the plan, which binds the instance to its GPUs")
        if name in _DECIDED:
            raise ContractError(f"environment: {name} is not for the unit: the plan decides {_DECIDED[name]}")
        if name.startswith("LLAMA_ARG_"):
            raise ContractError(f"environment: {name} is an option of llama-server; give it with the options")
        if _SECRET.search(name):
            raise ContractError(
                f"environment: {name} looks like a secret, and whoever is on the host can read a unit; give keys of"
                " clients as a file (api_key_file in credentials), and fetch models beforehand"
            )
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise ContractError(f"environment: {name} must be text or a number")
        if _USER_IN_URL.search(str(value)):
            raise ContractError(
                f"environment: {name} has a user in its address, and whoever is on the host can read a unit; give an"
                " address that needs no password"
            )
        variables[name] = str(value)
    return variables


def credentials(given: t.Any) -> dict[str, str]:
    """Return files that only root may read, by the option that takes them.

    :raises ContractError: for what is no path that LoadCredential= and a container's volume can hold.
    """
    if not isinstance(given or {}, dict):
        raise ContractError(
            "credentials: give a mapping of options to files, such as {ssl_key_file: /etc/ssl/private/x.pem}"
        )
    for option, path in (given or {}).items():
        if not isinstance(path, str) or not re.fullmatch(r"/[^:\x00-\x1f]+", path):
            raise ContractError(f"credentials: {option} must be the absolute path of a file, without colons")
    return dict(given or {})


def command_lines(options: t.Sequence[Words], found: t.Container[str] = (), place: str = "") -> list[str]:
    """Return options as lines of a command; files of `found` lie at `place`, by the name of their option."""
    lines = []
    for words in options:
        key = words[0].removeprefix("--").replace("-", "_")
        lines.append(f"{words[0]} {place}{key}" if key in found else systemd.words(words, command=True))
    return lines
