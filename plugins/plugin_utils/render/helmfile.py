# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as state values of helmfile: one block for each subject, each with a comment that says where it comes from."""

from __future__ import annotations

import math
import re
import typing as t

from ..contract.base import SCHEMA_VERSION, ContractError
from ..contract.helmfile_values import HelmfileValues
from ..contract.host import InferenceHost
from ..contract.plan import Plan
from ..units import gib
from . import helmfile_sizes as sizes
from .commented_yaml import comment, document
from .helmfile_arguments import args
from .helmfile_node import Node, node
from .helmfile_weights import weights
from .table import describe, rate

SCHEMA = f"https://www.prositronic.eu/schemas/{SCHEMA_VERSION}/helmfile_values.schema.json"

PROBE_SECONDS = 10
# Cores that stay for the node itself, and cores for a server that computes on GPUs only.
SPARE_CORES = 2
IDLE_CORES = 2


class Block(t.NamedTuple):
    """Keys of the chart's values and what to say of them."""

    told: str
    values: dict[str, t.Any]


def helmfile_values(
    plan: t.Any,
    name: str | None = None,
    namespace: str = "llama-server",
    host: t.Any = None,
    repository: str | None = None,
    revision: str | None = None,
    files: t.Any = None,
    options: dict[str, t.Any] | None = None,
    date: str | None = None,
) -> str:
    """Return the state values of a plan as YAML text.

    :param name: of the release; default is the name that the plan was made for, else model and quant.
    :param host: the inference_host that the plan was made for; its driver and MIG slices bound the choice of nodes.
    :param repository: `publisher/name` on the hub, with `revision` and `files` (`[{name, sha256, url}]`) to pin it.
    :param options: more of llama-server's options.
    :param date: of the data that the plan was made from, for the header.
    :raises ValueError: for a plan that cannot run, and for arguments that do not go together.
    """
    read = Plan.read(plan, "plan")
    if read.launch is None or read.memory is None:
        raise ContractError(f"the plan has no launch, since its model does not fit ({read.limit})")
    known = InferenceHost.read(host, "host") if host else None
    release = _release(read, name, namespace)
    blocks = [
        *_what(read, release["name"], repository, revision, files, options),
        *_where(read, node(read, known)),
        *_life(read),
        *_access(read),
    ]
    values = {key: value for block in blocks for key, value in block.values.items()}
    HelmfileValues.read({"release": release, "llamaServer": values}, "values")
    return "".join(
        [
            f"# yaml-language-server: $schema={SCHEMA}\n",
            *_header(read, known, date),
            comment("name and namespace as asked. waitSeconds: download at 25 MB/s, then reading at 100 MB/s"),
            document({"release": release}),
            "llamaServer:\n",
            *("".join([comment(block.told, 2), document(block.values, 2)]) for block in blocks),
        ]
    )


def release_name(*words: str) -> str:
    """Return words as the name of a release: what Kubernetes takes in names, 53 characters at most."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower())[:53].strip("-") or "llama-server"


def _release(plan: Plan, name: str | None, namespace: str) -> dict[str, t.Any]:
    served = plan.launch.alias if plan.launch else None
    return {
        "name": name or release_name(*([served] if served else [plan.model.id or plan.model.name, plan.quant.name])),
        "namespace": namespace,
        "waitSeconds": sizes.download_seconds(plan) + sizes.load_seconds(plan),
    }


def _header(plan: Plan, host: InferenceHost | None, date: str | None) -> t.Iterator[str]:
    speed = f", {rate(plan.speed.decode_tokens_per_second)} tokens/s" if plan.speed else ""
    context = plan.memory.n_ctx_seq if plan.memory else 0
    yield comment(
        f"{plan.model.name} {plan.quant.name}, {gib(plan.model.bytes)} GiB; runs on {plan.placement} with a context of"
        f" {context:,} tokens{speed}."
    )
    if host:
        yield comment(f"Planned for {describe(host)}.")
    yield comment(f"What binds: {plan.limit}.")
    made = f"Plan {plan.plan_id} of prositronic.infra for llama.cpp {plan.engine.version}"
    yield comment(f"{made}, data of {date}." if date else f"{made}.")
    for warning in plan.warnings:
        yield comment(f"Note: {warning}.")


def _what(
    plan: Plan, name: str, repository: str | None, revision: str | None, files: t.Any, options: t.Any
) -> t.Iterator[Block]:
    image, _colon, tag = (plan.engine.image or "").rpartition(":")
    if not image:
        raise ContractError(f"plan: no container image is known for {plan.engine.backend} of {plan.engine.version}")
    yield Block(
        f"image: llama.cpp's own of this build, for the plan's backend {plan.engine.backend}. Pin it further by digest",
        {"image": {"repository": image, "tag": tag}},
    )
    served = weights(plan, (plan.launch and plan.launch.alias) or name, repository, revision, files)
    yield Block(f"model: {served.told}", {"model": _given(served.model)})
    yield Block(
        "args: llama-server's long options, from the plan; devices are numbered as the container sees them",
        {"args": {**args(plan, options), "metrics": True}},
    )


def _where(plan: Plan, place: Node) -> t.Iterator[Block]:
    memory = sizes.memory(plan)
    threads = plan.launch.threads if plan.launch else None
    cores = max(1, threads - SPARE_CORES) if threads else IDLE_CORES
    requests = {"cpu": str(cores), "memory": f"{memory.request_mib}Mi"}
    limits: dict[str, t.Any] = {place.resource: place.gpus} if place.resource else {}
    if plan.placement != "disk":
        limits["memory"] = requests["memory"]
    if threads:
        why_cores = f"{threads} threads less {SPARE_CORES} for the node"
    elif plan.placement == "gpu":
        why_cores = "sampling and HTTP"
    else:
        why_cores = "the machine's cores are not known; give more, and args.threads, to what stays in RAM"
    told = [f"memory: {memory.told}", f"cpu: {why_cores}; no limit, since a stopped thread holds up all others"]
    yield Block(
        ". ".join([*told, *([place.resource_told] if place.resource_told else [])]),
        {"resources": {"requests": requests, "limits": limits}},
    )
    if not place.resource:
        return
    nodes: dict[str, t.Any] = {
        "nodeRequirements": place.requirements,
        "tolerations": place.tolerations,
        "runtimeClassName": "",
    }
    if place.groups:
        nodes["podSecurityContext"] = {"supplementalGroups": place.groups}
    yield Block(
        f"nodes: {place.told}. Take a label out with null where nodes do not carry it. runtimeClassName: nvidia where that"
        " is not the default (k3s, rke2)",
        nodes,
    )


def _life(plan: Plan) -> t.Iterator[Block]:
    load = sizes.load_seconds(plan)
    yield Block(
        f"persistence: files of {gib(plan.requirements.disk_bytes)} GiB and a twentieth more, and"
        f" {gib(sizes.VOLUME_SPARE_BYTES, 0)} GiB for what CUDA compiles. The claim outlives the release",
        {
            "persistence": {
                "enabled": True,
                "size": f"{sizes.storage_gib(plan)}Gi",
                "storageClass": "",
                "existingClaim": "",
            }
        },
    )
    yield Block(
        f"probes: reading {gib(plan.model.bytes)} GiB at 100 MB/s takes {load - sizes.WARM_UP_SECONDS} s, and"
        f" {sizes.WARM_UP_SECONDS} s are for the first run; until then nothing restarts the pod. The deadline adds the download",
        {
            "startupProbe": {"periodSeconds": PROBE_SECONDS, "failureThreshold": math.ceil(load / PROBE_SECONDS)},
            "progressDeadlineSeconds": load + sizes.download_seconds(plan),
        },
    )
    yield Block(
        "updateStrategy: the old pod gives its GPUs back before the new one starts",
        {"updateStrategy": {"type": "Recreate"}},
    )


def _access(plan: Plan) -> t.Iterator[Block]:
    port = (plan.launch and plan.launch.port) or 8080
    yield Block(
        "service: the plan's port, or llama-server's usual one", {"service": {"type": "ClusterIP", "port": port}}
    )
    yield Block(
        "ingress: hosts by name, {chat.example.org: {path: /, tlsSecret: name}}",
        {"ingress": {"enabled": False, "className": "", "hosts": {}}},
    )
    yield Block(
        "Secrets that exist: API keys of the server, a line each; the hub's token, for models that want one",
        {"auth": {"existingSecret": "", "key": "api-keys"}, "hubToken": {"existingSecret": "", "key": "token"}},
    )
    yield Block(
        "podMonitor: for Prometheus' operator; key: of auth.existingSecret, where that has several keys",
        {"podMonitor": {"enabled": False, "interval": "30s", "labels": {}}},
    )


def _given(model: t.Any) -> dict[str, t.Any]:
    """Return the model with what was said of it, and the keys that somebody may want to fill in."""
    plain = model.plain()
    shown = {"repository", "revision", "quant", "alias"} if not plain["path"] else {"path", "alias"}
    files = {name: {k: v for k, v in file.items() if v is not None} for name, file in plain["files"].items()}
    return {key: plain[key] for key in plain if key in shown} | ({"files": files} if not plain["path"] else {})
