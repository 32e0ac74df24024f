# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as what a systemd unit on one host says: the command, the devices, memory and time it needs."""

from __future__ import annotations

import typing as t

from ..contract.base import ContractError
from ..contract.host import Gpu, InferenceHost
from ..contract.plan import Plan
from . import systemd, unit
from .arguments import Words, option_lines
from .backends import container_devices
from .command_line import host_version, version_options, with_options
from .container import SECRETS, own_options, run_options

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
# Options that place a model, which mean nothing without devices, those of the door, and other names of those above
_OF_PLACEMENT = {
    *("batch_size", "cache_ram", "cpu_moe", "gpu_layers", "kv_offload", "main_gpu", "mmproj", "mmproj_offload"),
    *("n_cpu_moe", "no_host", "no_kv_offload", "no_kv_unified", "no_mmproj_offload", "no_repack", "no_warmup", "numa"),
    *(
        "api_key_file",
        "override_tensor",
        "port",
        "split_mode",
        "ssl_cert_file",
        "ssl_key_file",
        "tensor_split",
        "ubatch_size",
    ),
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
    options: dict[str, t.Any] | None = None,
    environment: t.Any = None,
    clients: list[t.Any] | None = None,
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
    backend = planned.engine.backend
    engine = host_version(version, planned.engine.version)
    table = version_options(engine, help)
    launch = planned.launch.plain() | {"port": None, "alias": None}
    named = {"alias": name, **(options or {})}
    secret = unit.credentials(credentials)
    full = with_options(launch, named, model=model, host=address, port=port, fit="off", **secret)
    variables = unit.environment(backend, gpus, environment)
    served = unit.Served(planned, model, gpus)
    in_container: list[Words] = []
    in_container_only: list[Words] = []
    if mounts is not None:
        in_container = run_options([*unit.folders(served), *mounts], container_devices(backend, gpus), variables)
        in_container_only = own_options(name, secret)
    return {
        "engine": engine,
        "command": unit.command_lines(option_lines(full, table), secret, "%d/" if mounts is None else SECRETS),
        "trial_command": unit.command_lines(option_lines(_trial(full, name), table)),
        "credentials": [systemd.word(f"{option}:{path}") for option, path in secret.items()],
        "texts": [],
        "container_options": unit.command_lines(in_container),
        "container_own_options": unit.command_lines(in_container_only),
        **unit.parts([served], backend, gpus, variables, address, clients),
        "record": unit.record(served),
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
