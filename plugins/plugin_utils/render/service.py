# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as what a systemd unit on one host says: the command, the devices, memory and time it needs."""

from __future__ import annotations

import posixpath
import re
import typing as t

from ..contract.base import ContractError
from ..contract.host import Gpu, InferenceHost
from ..contract.plan import Plan
from . import network, systemd
from .arguments import Words, option_lines
from .backends import BACKENDS, container_devices
from .command_line import host_version, version_options, with_options
from .container import SECRETS, own_options, run_options

# A model is loaded at the rate of its disk, a network's or a hard disk's at worst; the rest is for making contexts.
_SLOWEST_BYTES_PER_SECOND = 50_000_000
_START_SECONDS = 120

# Enough for llama-server to read the whole description of a model and to make a context, and next to no memory.
_TRIAL = {
    "device": ["none"],
    "n_gpu_layers": 0,
    "ctx_size": 256,
    "parallel": 1,
    "kv_unified": True,
    "load_mode": "mmap",
    "fit": "off",
    "warmup": False,
    "repack": False,
}
# Options that place a model, which mean nothing without devices, and other names of those above
_OF_PLACEMENT = {
    *("batch_size", "cache_ram", "cpu_moe", "gpu_layers", "kv_offload", "main_gpu", "mmproj", "mmproj_offload"),
    *("n_cpu_moe", "no_host", "no_kv_offload", "no_kv_unified", "no_mmproj_offload", "no_repack", "no_warmup", "numa"),
    *("api_key_file", "override_tensor", "port", "split_mode", "ssl_cert_file", "ssl_key_file", "tensor_split", "ubatch_size"),
}


def llama_server_service(
    plan: t.Any,
    host: t.Any,
    name: str,
    model: str,
    port: int,
    address: str = "127.0.0.1",
    version: str | None = None,
    help: str | None = None,
    options: t.Any = None,
    environment: t.Any = None,
    clients: t.Any = None,
    mounts: t.Any = None,
    credentials: t.Any = None,
) -> dict[str, t.Any]:
    """Return what the unit `llama-server-NAME.service` says to run a plan on a host, each value quoted for systemd.

    :param plan: of that host, or of a fleet: devices are found by their `index` in the host's `gpus`.
    :param model: path of the (first) model file on the host.
    :param version: what `llama-server --version` prints there, `help` what `--help` does; default is the plan's version.
    :param environment: more variables of the environment; those that choose the devices cannot be given again.
    :param clients: networks, as 10.0.0.0/8, that may reach the port; default is this host alone where `address` is.
    :param mounts: folders that a container sees beside that of the model; None where there is no container.
    :param credentials: files that only root may read, by the option that takes them, such as `ssl_key_file`.
    :raises ValueError: in one sentence, for what cannot be started like that.
    """
    planned = Plan.read(plan, "plan")
    if planned.launch is None or planned.memory is None:
        raise ContractError(f"plan: {planned.model.id} does not fit here ({planned.limit}); nothing can be started")
    gpus = gpus_of(planned, InferenceHost.read(host, "host"))
    backend = BACKENDS[planned.engine.backend]
    engine = host_version(version, planned.engine.version)
    table = version_options(engine, help)
    launch = planned.launch.plain() | {"port": None, "alias": None}
    named = {"alias": name, **(options or {})}
    secret = _credentials(credentials or {})
    full = with_options(launch, named, model=model, host=address, port=port, fit="off", **secret)
    variables = _environment(backend.selection(gpus), environment or {})
    in_container, in_container_only = [], []
    place = "%d/"
    if mounts is not None:
        folders = [posixpath.dirname(model), *mounts]
        in_container = run_options(folders, container_devices(planned.engine.backend, gpus), variables)
        in_container_only = own_options(name, secret)
        place = SECRETS
    return {
        "engine": engine,
        "command": _lines(option_lines(full, table), secret, place),
        "trial_command": _lines(option_lines(_trial(full, name), table)),
        "credentials": [systemd.word(f"{option}:{path}") for option, path in secret.items()],
        "environment": [systemd.word(f"{name}={value}") for name, value in variables.items()],
        "container_options": _lines(in_container),
        "container_own_options": _lines(in_container_only),
        "addresses": network.allowed(address, clients or []),
        "model_folder": systemd.word(posixpath.dirname(model)),
        "uses_gpu": bool(gpus),
        "device_allow": list(backend.device_allow) if gpus else [],
        "user_groups": list(backend.user_groups) if gpus else [],
        "writes_code": backend.writes_code and bool(gpus),
        "locks_memory": "mlock" in (planned.launch.load_mode or ""),
        "memory_low_bytes": planned.memory.host.total_bytes,
        "start_timeout_seconds": _START_SECONDS + planned.model.bytes // _SLOWEST_BYTES_PER_SECOND,
        "record": {
            "plan_id": planned.plan_id,
            "request_id": planned.request_id,
            "launch": planned.launch.plain(),
            "model": model,
            "model_id": planned.model.id,
            "quant": planned.quant.name,
            "gpu_memory_bytes": [
                {"uuid": gpu.uuid, "bytes": device.total_bytes}
                for gpu, device in zip(gpus, planned.memory.devices, strict=True)
            ],
            "host_memory_bytes": planned.memory.host.total_bytes,
        },
    }


def gpus_of(plan: Plan, host: InferenceHost) -> list[Gpu]:
    """Return the host's GPUs that the plan uses, in the plan's order; `index` of a plan is a place in the host's list."""
    gpus = []
    for device in plan.memory.devices if plan.memory else ():
        if device.index >= len(host.gpus):
            raise ContractError(
                f"plan: it uses GPU {device.index}, and this host has {len(host.gpus)} GPUs; plan anew for this host"
            )
        gpu = host.gpus[device.index]
        if device.uuid is not None and device.uuid != gpu.uuid:
            raise ContractError(f"plan: GPU {device.index} of this host is another one now; plan anew for this host")
        gpus.append(gpu)
    return gpus


def _trial(launch: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    """Return a launch that shows whether the engine takes the options and the model, while the present one serves.

    Nothing goes to a GPU, the file is only mapped, and a socket takes the place of the port.
    """
    kept = {key: value for key, value in launch.items() if key not in _OF_PLACEMENT}
    return {**kept, **_TRIAL, "host": f"/run/llama-server-{name}-trial/socket.sock"}


def _environment(selection: list[str], more: t.Any) -> dict[str, str]:
    """Return the variables of the environment: those that choose the devices, then `more`, sorted."""
    if not isinstance(more, dict):
        raise ContractError("environment: give a mapping of names to values, such as {GGML_CUDA_P2P: 1}")
    variables = dict(text.split("=", 1) for text in selection)
    for name, value in sorted(more.items(), key=str):
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", str(name)):
            raise ContractError("environment: names are letters, digits and underscores, and begin with no digit")
        if name in variables:
            raise ContractError(f"environment: {name} is decided by the plan, which binds the instance to its GPUs")
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise ContractError(f"environment: {name} must be text or a number")
        variables[name] = str(value)
    return variables


def _credentials(given: t.Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise ContractError("credentials: give a mapping of options to files, such as {ssl_key_file: /etc/ssl/private/x.pem}")
    for option, path in given.items():
        if not isinstance(path, str) or not re.fullmatch(r"/[^:\x00-\x1f]+", path):
            raise ContractError(f"credentials: {option} must be the absolute path of a file, without colons")
    return dict(given)


def _lines(options: t.Sequence[Words], secret: t.Container[str] = (), place: str = "") -> list[str]:
    """Return options as lines of a command; files of `secret` are found at `place`, by the name of their option."""
    lines = []
    for words in options:
        key = words[0].lstrip("-").replace("-", "_")
        lines.append(f"{words[0]} {place}{key}" if key in secret else systemd.words(words, command=True))
    return lines
