# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A found layout told as a plan: the figures, what binds, and what to know."""

from __future__ import annotations

import dataclasses

from ..catalog import access as catalog
from ..contract.plan import (
    Plan,
    PlanDevice,
    PlanEngine,
    PlanMemory,
    PlanModel,
    PlanQuant,
    Requirements,
    ShortPlan,
)
from ..contract.request import FitRequest
from ..model.model import Model
from ..units import figure, gib
from .candidate import Candidate
from .costs import Costs
from .ladder import ladder
from .layout import padded
from .machine import Machine
from .search import Found


def tell(
    place: Machine,
    candidate: Candidate,
    wish: FitRequest,
    engine: PlanEngine,
    warnings: list[str],
    why: str | None,
    others: list[ShortPlan],
    with_ladder: bool,
) -> Plan:
    """Return the plan of a candidate, with the other candidates beside it and `why` it is this one."""
    model, costs, found = candidate.model, candidate.costs, candidate.found
    return Plan(
        request_id=wish.identity,
        plan_id=candidate.plan_id,
        model=PlanModel(
            id=model.id,
            name=model.name,
            parameters=costs.parameters,
            active_parameters=costs.active_parameters,
            trained_context=costs.trained_context,
            bytes=costs.model_bytes,
            files=[dataclasses.asdict(file) for file in model.files],
            licence=model.metadata.get("general.license"),
        ),
        quant=_quant(model, costs),
        fits=candidate.fits,
        placement=candidate.placement,
        limit=_limit(place, candidate, wish),
        why=why,
        launch=candidate.launch,
        engine=engine,
        memory=_memory(found) if found else None,
        requirements=Requirements(
            minimum_ram_bytes=(found.ram_bytes_at_most if found else costs.model_bytes)
            + wish.reserve.ram(place.host.memory.total_bytes),
            disk_bytes=(sum(file.size_bytes for file in model.files) or costs.model_bytes) + costs.beside_bytes,
        ),
        speed=candidate.speed,
        ladder=ladder(candidate, wish) if with_ladder else [],
        warnings=[
            *model.warnings,
            *place.warnings,
            *warnings,
            *(found.memory.warnings if found else []),
            *_warnings(place, candidate, wish),
        ],
        alternatives=others,
    )


def _memory(found: Found) -> PlanMemory:
    memory = found.memory
    return PlanMemory(
        n_ctx=memory.n_ctx,
        n_ctx_seq=memory.n_ctx_seq,
        n_ubatch=memory.n_ubatch,
        devices=[
            PlanDevice(
                **use.model_dump(),
                index=device.index,
                device=name,
                free_bytes=device.free_bytes,
                headroom_bytes=device.free_bytes - use.total_bytes,
            )
            for use, device, name in zip(memory.devices, found.layout.devices, found.launch.device or [], strict=False)
        ],
        host=memory.host,
        lines=memory.lines,
    )


def _quant(model: Model, costs: Costs) -> PlanQuant:
    known = catalog.find_quant(model.quant) or {}
    return PlanQuant(
        name=model.quant or "unknown",
        bits_per_weight=round(costs.model_bytes * 8 / costs.parameters, 2),
        tier=known.get("tier"),
        kld=known.get("kld"),
        source=known.get("source"),
        caveat=known.get("caveat"),
    )


def _limit(place: Machine, candidate: Candidate, wish: FitRequest) -> str:
    """Return what binds, in a phrase that begins with the resource."""
    found, costs = candidate.found, candidate.costs
    if found is None:
        return _why_none(place, candidate, wish)
    short = padded(found.shape.context) < padded(candidate.wanted)
    context = f"{found.shape.context:,} of {candidate.wanted:,} tokens of context" if short else ""
    if found.placement == "gpu":
        nothing = _too_slow(candidate, wish) or "nothing: the wanted context fits"
        return f"GPU memory: {context} fit" if short else nothing
    if found.placement == "host":
        text = "GPU memory: not even one layer fits" if place.devices else f"{_no_gpu(place)}: the CPU computes everything"
        return f"{text}; {context} fit" if short else text
    if found.placement == "disk":
        beyond = found.memory.host.weights_bytes - (found.ram_bytes or 0)
        return f"RAM: {gib(beyond)} GiB of weights stay on disk and are read again and again"
    if found.layout.host_layers:
        what = f"{found.layout.host_layers} of {costs.layers - 1} layers stay in RAM"
        others = sum(layer >= found.layout.host_layers for layer, _names in found.layout.experts)
        what += f", and the experts of {others} others" if others else ""
    else:
        what = f"experts of {len(found.layout.experts)} of {len(costs.whole_experts)} layers stay in RAM"
    return f"GPU memory: {what}" + (f"; {context} fit" if short else "")


def _no_gpu(place: Machine) -> str:
    """Return that there is no GPU to plan for; of one that is there, with the reason."""
    left_out = [text for text in place.warnings if text.startswith("GPU ")]
    return left_out[0].replace(": ", ", ") if left_out else "no GPU"


def _why_none(place: Machine, candidate: Candidate, wish: FitRequest) -> str:
    size = gib(candidate.costs.model_bytes)
    vram = gib(sum(device.free_bytes for device in place.devices))
    if not wish.allow.host:
        return f"GPU memory: {size} GiB of weights, {vram} GiB free, and the host's memory is not allowed"
    if not wish.allow.disk:
        return f"memory: {size} GiB of weights, {vram} GiB free on GPUs and {gib(place.ram_bytes)} GiB of RAM to use"
    return f"RAM: {gib(place.ram_bytes)} GiB to use do not even hold the context and the buffers"


def _too_slow(candidate: Candidate, wish: FitRequest) -> str | None:
    """Return that a plan gives fewer tokens per second than were asked for, if so."""
    rate = 1 / candidate.found.seconds if candidate.found else 0.0
    if not candidate.found or not wish.speed.minimum or rate >= wish.speed.minimum:
        return None
    return (
        f"speed: {figure(rate)} tokens per second are expected behind {candidate.search.depth:,} tokens of context,"
        f" {figure(wish.speed.minimum)} were asked for"
    )


def _warnings(place: Machine, candidate: Candidate, wish: FitRequest) -> list[str]:
    warnings = []
    if slow := _too_slow(candidate, wish):
        warnings.append(slow)
    prompts = candidate.speed.prefill_tokens_per_second if candidate.speed else None
    if prompts and wish.speed.prefill and prompts.expected < wish.speed.prefill:
        warnings.append(
            f"speed: prompts are read with {figure(prompts.expected)} tokens per second, {figure(wish.speed.prefill)} were"
            " asked for"
        )
    quant = catalog.find_quant(candidate.model.quant) or {}
    if quant.get("tier") == "low" and quant["kld"]:
        warnings.append(
            f"{candidate.model.quant} loses much: a divergence of {quant['kld']:.2g} was measured on an 8 B model;"
            " models with hundreds of experts lose less"
        )
    needed = candidate.costs.model_bytes + candidate.costs.beside_bytes
    if place.disk_bytes is not None and place.disk_bytes < needed:
        warnings.append(f"disk: the files take {gib(needed)} GiB, {gib(place.disk_bytes)} GiB are free")
    if any(device.gpu.basis == "assumed" for device in place.devices):
        warnings.append("the free memory of the GPUs is assumed from the catalog, not read from the machine")
    return warnings
