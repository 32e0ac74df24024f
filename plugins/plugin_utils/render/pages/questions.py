# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions that people ask of a combination, with answers that follow from the plan and from nothing else."""

from __future__ import annotations

import typing as t

from ...contract.host import InferenceHost
from ...contract.plan import Plan
from ...memory.placement import HOST
from ...units import figure
from ..table import describe
from . import words

if t.TYPE_CHECKING:
    from .planned import Planned


def answers(one: Planned, plan: Plan, host: InferenceHost, entry: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """Return questions and answers; what does not apply to this plan is not asked."""
    name, machine = f"{entry['name']} {one.quant}", one.machine.name
    return [
        (f"Can I run {name} on {machine}?", _can(plan, machine)),
        (f"How much memory does {name} need?", _memory(plan)),
        *([("Where do the layers go?", _layers(one, plan))] if one.parts else []),
        *([(f"How fast is it on {machine}?", _speed(plan))] if plan.speed else []),
        ("What limits it?", f"{plan.limit[:1].upper()}{plan.limit[1:]}."),
        *([("How long can the context be?", _context(plan))] if plan.memory else []),
        (f"What does {one.quant} cost in quality?", _quality(plan)),
        *([("Is flash attention used?", _flash(one, plan))] if one.parts else []),
        *([("What are routed experts, and where are they?", _experts(one, plan))] if _routed(one) else []),
        ("How sure are these figures?", _sure(plan, host)),
    ]


def gpu_layers(one: Planned) -> set[int]:
    """Return the layers whose attention is on a GPU."""
    return {
        part.layer
        for part in one.parts
        if part.layer is not None and part.device != HOST and part.kind in ("attention", "recurrent", "feed-forward")
    }


def hosted_experts(one: Planned) -> set[int]:
    """Return the layers on GPUs whose routed experts are in RAM, in part or whole."""
    on_gpus = gpu_layers(one)
    return {
        part.layer
        for part in one.parts
        if part.layer is not None and part.layer in on_gpus and part.kind == "experts" and part.device == HOST
    }


def _routed(one: Planned) -> bool:
    return any(part.kind == "experts" for part in one.parts)


def _can(plan: Plan, machine: str) -> str:
    if plan.memory is None:
        return f"No. {plan.limit[:1].upper()}{plan.limit[1:]}."
    if not plan.fits:
        return (
            f"It starts, but {machine} has too little memory for it: part of the weights is read from disk for every"
            " token."
        )
    where = {"gpu": "entirely in GPU memory", "gpu+host": "in GPU memory and RAM together", "host": "in RAM"}
    return f"Yes, {where[plan.placement]}, with {plan.memory.n_ctx_seq:,} tokens of context per request."


def _memory(plan: Plan) -> str:
    size = f"The weights are {words.size(plan.model.bytes)}."
    if plan.memory is None:
        return size
    used = sum(device.total_bytes for device in plan.memory.devices)
    kv = plan.memory.host.kv_bytes + sum(device.kv_bytes for device in plan.memory.devices)
    ram = plan.memory.host.total_bytes
    gpus = f"GPUs hold {words.size(used)}" if used else "GPUs hold nothing"
    rest = f"RAM {'and disk together hold' if plan.placement == 'disk' else 'holds'} {words.size(ram)}"
    return f"{size} With a KV cache of {words.size(kv)} for {plan.memory.n_ctx:,} tokens and all buffers, {gpus} and {rest}."


def _layers(one: Planned, plan: Plan) -> str:
    every = {part.layer for part in one.parts if part.layer is not None}
    on_gpus = gpu_layers(one)
    text = f"{len(on_gpus)} of {len(every)} layers are on GPUs."
    hosted = hosted_experts(one)
    if hosted:
        text += f" Of these, {len(hosted)} leave routed experts in RAM, in part or whole."
    if len(on_gpus) < len(every):
        text += " The others are computed by the processors."
    return text


def _speed(plan: Plan) -> str:
    speed = plan.speed
    if speed is None:
        return ""
    band = speed.decode_tokens_per_second
    text = (
        f"{words.tokens_per_second(band)} tokens per second with an empty context, {figure(band.expected)} expected,"
        f" {words.SPEED_BASES[speed.basis]}."
    )
    if speed.prefill_tokens_per_second:
        text += f" A prompt is read at {words.tokens_per_second(speed.prefill_tokens_per_second)} tokens per second."
    return text


def _context(plan: Plan) -> str:
    if plan.memory is None:
        return ""
    trained = plan.model.trained_context
    has = plan.memory.n_ctx_seq
    text = f"This plan has {has:,} tokens per request."
    if trained and has < trained:
        text += f" The model was trained for {trained:,}; the ladder above says what longer ones cost."
    elif trained:
        text += f" That is all that the model was trained for ({trained:,})."
    return text


def _quality(plan: Plan) -> str:
    quant = plan.quant
    text = f"{quant.name} stores {quant.bits_per_weight:g} bits per weight of this model."
    if quant.tier:
        text += f" Its quality tier is {quant.tier}."
    if quant.kld is not None:
        text += f" A mean divergence of {quant.kld:.2g} from the unquantised model was measured ({quant.source})."
    return f"{text} {quant.caveat}" if quant.caveat else text


def _flash(one: Planned, plan: Plan) -> str:
    if one.flash:
        return "Yes. Scores of attention are then never held in full, which keeps the compute buffer small."
    return (
        "No. The engine turns it off where attention would run on another device than its cache; the compute buffer above"
        " holds the scores."
    )


def _experts(one: Planned, plan: Plan) -> str:
    hosted = hosted_experts(one)
    share = ""
    if plan.model.active_parameters and plan.model.parameters:
        share = (
            f" of {words.billions(plan.model.parameters)} parameters a token uses"
            f" {words.billions(plan.model.active_parameters)}"
        )
    text = f"Each token is sent to a few of many experts:{share}."
    if plan.placement == "gpu":
        return f"{text} All experts are in GPU memory, since any may be next."
    if hosted:
        return (
            f"{text} On this machine the routed experts of {len(hosted)} layers are in RAM, computed by the processors."
        )
    return f"{text} All of them must be at hand, since any may be next."


def _sure(plan: Plan, host: InferenceHost) -> str:
    text = (
        "Weights and KV cache are exact for files made by the standard recipe, buffers follow llama.cpp's own allocation"
        f" (version {plan.engine.version}). The table of the memory says of each part how it is known."
    )
    if any(gpu.basis == "assumed" for gpu in host.gpus):
        text += f" The free memory of {describe(host).rsplit(', ', 1)[0]} is assumed from the catalog: measure before you buy."
    return text
