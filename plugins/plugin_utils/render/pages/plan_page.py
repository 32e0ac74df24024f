# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One page for one model, quant and machine: what it says, each figure as the text that is read."""

from __future__ import annotations

import json
import shlex
import typing as t

from ...catalog import access as catalog
from ...contract.host import InferenceHost
from ...contract.plan import Plan
from ...contract.request import Reserve
from ...planner.machine import VRAM_STEP
from ...planner.machine import machine as planned_machine
from ...units import gib
from ..command_line import llama_server_args
from ..table import describe
from . import bands, bars, layers, questions, words
from .planned import Planned

# So many of the same machine or the same quant are named that run it, the fastest first.
NAMED = 6


class Command(t.NamedTuple):
    """Something to copy into a shell."""

    title: str
    text: str
    told: str


class Link(t.NamedTuple):
    """Another page and what it promises."""

    path: str
    name: str
    sign: words.Sign
    told: str


def view(one: Planned, siblings: t.Sequence[Planned], base_url: str, crumbs: list[tuple[str, str]]) -> dict[str, t.Any]:
    """Return what the template of a page reads.

    :param siblings: all combinations of the same model.
    :param base_url: where the site is published, for commands that fetch from it; may be empty.
    :param crumbs: path and name of the pages above this one.
    """
    entry = model_entry(one)
    common = {
        "one": one,
        "crumbs": crumbs,
        "title": f"{entry['name']} {one.quant} on {one.machine.name}",
        "model_name": entry["name"],
        "about": about(entry),
        "machine": machine(one),
        "others": {
            "quants": _others(one, [other for other in siblings if other.machine.slug == one.machine.slug]),
            "machines": _others(one, [other for other in siblings if other.quant == one.quant]),
        },
    }
    plan, host = one.plan, one.machine.host
    if plan is None or host is None:
        return {**common, "plan": None, "sign": words.UNPLANNED, "lead": _sentence(one.why or "")}
    # Only what starts has a launch to show.
    started = _started(one, plan, host, base_url) if plan.launch and plan.memory else {}
    return {
        **common,
        **started,
        "plan": plan,
        "sign": words.SIGNS[plan.placement],
        "lead": _lead(plan),
        "limit": _sentence(plan.limit),
        "warnings": [_sentence(warning) for warning in plan.warnings],
        "requirements": _requirements(one, plan, host),
        "tiles": _tiles(plan, host),
        "ladder": bands.ladder(plan),
        "speeds": bands.speeds(plan),
        "speed_basis": words.SPEED_BASES[plan.speed.basis] if plan.speed else None,
        "questions": questions.answers(one, plan, host, entry),
    }


def _started(one: Planned, plan: Plan, host: InferenceHost, base_url: str) -> dict[str, t.Any]:
    memory = plan.memory
    if memory is None:
        return {}
    return {
        "bars": bars.bars(memory, one.parts, usable_ram(host), lambda index: host.gpus[index].name or "GPU"),
        "rows": bars.rows(memory.lines, one.parts),
        "strip": layers.strip(one.parts) if one.parts else None,
        "commands": _commands(one, plan, base_url),
    }


def model_entry(one: Planned) -> dict[str, t.Any]:
    """Return the catalog's entry of a model; of one that it does not have, what the plan knows."""
    try:
        return catalog.model(one.model)
    except catalog.CatalogError:
        model = one.plan and one.plan.model
        return {
            "name": (model and model.name) or one.model,
            "parameters": model and model.parameters,
            "active_parameters": model and model.active_parameters,
            "trained_context": model and model.trained_context,
            "licence": model and model.licence,
        }


def usable_ram(host: InferenceHost) -> int:
    """Return the RAM in bytes that plans may use: what is available less the default reserve."""
    return planned_machine(host, Reserve()).ram_bytes


def free_vram(host: InferenceHost) -> int:
    """Return the free memory in bytes of all GPUs, in the steps that plans count it in."""
    return sum((gpu.memory_free_bytes or 0) // VRAM_STEP * VRAM_STEP for gpu in host.gpus)


def about(entry: dict[str, t.Any]) -> list[tuple[str, str]]:
    """Return what the catalog knows of a model."""
    facts = [
        ("Publisher", entry.get("vendor")),
        ("Parameters", words.billions(entry.get("parameters"))),
        ("Active per token", words.billions(entry.get("active_parameters") or entry.get("parameters"))),
        ("Trained context", f"{entry['trained_context']:,} tokens" if entry.get("trained_context") else None),
        ("Architecture", (entry.get("metadata") or {}).get("general.architecture")),
        ("Licence", entry.get("licence")),
        ("Capabilities", ", ".join(entry.get("capabilities") or [])),
    ]
    return [(name, str(value)) for name, value in facts if value]


def machine(one: Planned) -> list[tuple[str, str]]:
    """Return what is known of a machine."""
    host = one.machine.host
    if host is None:
        return [("Known", one.machine.why or "too little")]
    facts: list[tuple[str, str | None]] = [
        ("Machine", describe(host)),
        ("GPU memory free", words.size(free_vram(host)) if host.gpus else None),
        ("Compute capability", next((gpu.compute_capability for gpu in host.gpus if gpu.compute_capability), None)),
        ("Processor", host.cpu.model if host.cpu else None),
        ("RAM bandwidth", _bandwidth(host.cpu.bandwidth_bytes_per_second) if host.cpu else None),
    ]
    gpu_bandwidth = next((gpu.bandwidth_bytes_per_second for gpu in host.gpus), None)
    facts.insert(2, ("GPU bandwidth", _bandwidth(gpu_bandwidth)))
    return [(name, value) for name, value in facts if value]


def _bandwidth(rate: float | None) -> str | None:
    return f"{rate / 1e9:,.0f} GB/s" if rate else None


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _lead(plan: Plan) -> str:
    sign = words.SIGNS[plan.placement]
    if plan.memory is None:
        return sign.sentence
    speed = (
        f" It generates {words.tokens_per_second(plan.speed.decode_tokens_per_second)} tokens per second at first."
        if plan.speed
        else ""
    )
    return f"{sign.sentence} A request has up to {plan.memory.n_ctx_seq:,} tokens of context.{speed}"


def _tiles(plan: Plan, host: InferenceHost) -> list[tuple[str, str, str]]:
    """Return the few figures at the top: name, value, and what it is of."""
    if plan.memory is None:
        return []
    tiles = []
    if plan.speed:
        band = plan.speed.decode_tokens_per_second
        tiles.append(("Generating", words.tokens_per_second(band), "tokens per second"))
    tiles.append(("Context", f"{plan.memory.n_ctx_seq:,}", "tokens per request"))
    if plan.memory.devices:
        used = sum(device.total_bytes for device in plan.memory.devices)
        free = sum(device.free_bytes for device in plan.memory.devices)
        tiles.append(("GPU memory", f"{gib(used)} GiB", f"of {gib(free)} GiB free"))
    held, ram = f"{gib(plan.memory.host.total_bytes)} GiB", gib(host.memory.total_bytes, 0)
    if plan.placement == "disk":
        tiles.append(("RAM and disk", held, f"with {ram} GiB of RAM"))
    else:
        tiles.append(("RAM", held, f"of {ram} GiB"))
    return tiles


def _requirements(one: Planned, plan: Plan, host: InferenceHost) -> list[tuple[str, str, str]]:
    """Return the table of requirements: name, value, and a note."""
    free = free_vram(host)
    total = sum(gpu.memory_total_bytes or 0 for gpu in host.gpus)
    rows = [
        ("Model size", words.size(plan.model.bytes), f"{plan.quant.bits_per_weight:g} bits per weight"),
        ("VRAM available", words.size(free), f"of {words.size(total)}" if total else ""),
    ]
    if plan.memory:
        used = sum(device.total_bytes for device in plan.memory.devices)
        rows.append(("VRAM used", words.size(used), "weights, KV cache, buffers and overhead"))
    rows += [
        ("System RAM", words.size(host.memory.total_bytes), ""),
        (
            "Minimum RAM",
            words.size(plan.requirements.minimum_ram_bytes),
            "to hold what is not on GPUs, and a reserve" if plan.memory else "to hold the weights, and a reserve",
        ),
        ("Disk for the files", words.size(plan.requirements.disk_bytes), ""),
    ]
    if plan.launch and plan.memory:
        slots = plan.launch.parallel or 1
        shared = "which share it" if plan.launch.kv_unified else "each with as much"
        cache = plan.launch.cache_type_k or "f16"
        rows += [
            *([("GPU layers", _gpu_layers(one), _hosted_experts(one))] if one.parts else []),
            ("Context", f"{plan.memory.n_ctx_seq:,} tokens", f"{slots} slots, {shared}" if slots > 1 else "one slot"),
            ("KV cache", words.size(_kv(plan)), f"of type {cache}"),
        ]
    rows += [
        ("Backend", plan.engine.backend, f"llama.cpp {plan.engine.version}"),
    ]
    if one.parts and plan.launch:
        rows.append(("Flash attention", "yes" if one.flash else "no", plan.launch.flash_attn or "auto"))
    return [*rows, ("Reading from disk", words.reads_from_disk(plan), "")]


def _kv(plan: Plan) -> int:
    memory = plan.memory
    return memory.host.kv_bytes + sum(device.kv_bytes for device in memory.devices) if memory else 0


def _gpu_layers(one: Planned) -> str:
    every = {part.layer for part in one.parts if part.layer is not None}
    return f"{len(questions.gpu_layers(one))} of {len(every)}"


def _hosted_experts(one: Planned) -> str:
    hosted = questions.hosted_experts(one)
    return f"routed experts of {len(hosted)} layers in RAM, in part or whole" if hosted else ""


def _commands(one: Planned, plan: Plan, base_url: str) -> list[Command]:
    files = plan.model.files
    path = files[0]["path"] if files else f"/srv/models/{one.slug}-{one.quant}.gguf"
    served = {
        "name": one.slug,
        # A model that is a file is planned by its header.
        **({} if files else {"model": one.model, "quant": one.quant}),
        **({"context": plan.memory.n_ctx_seq} if plan.memory else {}),
        "source": {"path": path},
    }
    commands = []
    if plan.engine.backend.startswith("cuda"):
        commands.append(
            Command(
                "Container toolkit",
                "ansible-playbook prositronic.infra.nvidia_container_toolkit -i inventory.yml",
                "For Kubernetes or containers: prepares the hosts.",
            )
        )
    if one.values:
        where = f"{base_url.rstrip('/')}/{one.values_path}" if base_url else one.values_path
        source = f"<(curl -fsS {where})" if base_url else where
        commands.append(
            Command("Kubernetes", f"helmfile --state-values-file {source} apply", "Deploys the values below.")
        )
    commands.append(
        Command(
            "systemd",
            "ansible-playbook prositronic.infra.llama_server -i inventory.yml -e "
            + shlex.quote(json.dumps({"inference_models": [served]}))
            + ("" if plan.fits else " -e llama_server_require_fit=false"),
            "Plans for your hosts as they are and serves the file at that path; source may also name a repository.",
        )
    )
    commands.append(
        Command(
            "By hand",
            " ".join(map(shlex.quote, ["llama-server", *llama_server_args(plan.plain(), model="model.gguf")])),
            "This very plan as a command line.",
        )
    )
    return commands


def _others(one: Planned, candidates: t.Sequence[Planned]) -> list[Link]:
    """Return links to others that run from memory, the fastest first."""
    links = [
        (other.plan.speed.decode_tokens_per_second.expected if other.plan.speed else 0.0, other)
        for other in candidates
        if other is not one and other.path != one.path and other.plan and other.plan.fits
    ]
    fastest = sorted(links, key=lambda pair: (-pair[0], pair[1].path))[:NAMED]
    return [link(other, other.quant if other.quant != one.quant else other.machine.name) for _rate, other in fastest]


def link(other: Planned, name: str) -> Link:
    """Return the link to a combination that has a plan."""
    plan = other.plan
    told = ""
    if plan and plan.memory and plan.speed:
        told = (
            f"{words.tokens_per_second(plan.speed.decode_tokens_per_second)} tokens/s,"
            f" {plan.memory.n_ctx_seq:,} tokens of context"
        )
    return Link(other.path, name, words.SIGNS[plan.placement if plan else "none"], told)
