# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a model is slower than planned, as far as the facts of the host tell it. Nothing is guessed."""

from __future__ import annotations

import typing as t

from ..contract.host import Gpu, InferenceHost
from ..contract.plan import Plan
from ..units import gib
from .compare import Figure


def causes(
    plan: Plan,
    gpus: t.Sequence[Gpu],
    host: InferenceHost,
    found: t.Sequence[Figure],
    unit: str | None = None,
    busy_cores: float | None = None,
) -> list[str]:
    """Return likely causes, a sentence each; none where no rate lies under its band.

    :param gpus: the cards of the plan, as `host` shows them.
    :param unit: the unit of the server that was measured, whose own processes disturb nobody.
    :param busy_cores: how many cores other programs kept busy when a benchmark began.
    """
    if not any(each.unit == "tokens_per_second" and each.measured < each.low for each in found):
        return []
    seen = [
        *(sentence for index, gpu in enumerate(gpus) for sentence in _of_gpu(f"GPU{index}", gpu, unit)),
        *_of_host(plan, host, unit, busy_cores or 0.0),
    ]
    return seen or [
        "The facts of this host show no cause: no other process on the plan's GPUs, no lowered clock, no missing PCIe lane, no"
        " NUMA node left to chance, no busy processor."
    ]


def _of_gpu(name: str, gpu: Gpu, unit: str | None) -> t.Iterator[str]:
    others = [each for each in gpu.processes if each.unit is None or each.unit != unit]
    if others:
        held = sum(each.memory_bytes or 0 for each in others)
        names = ", ".join(sorted({each.unit or each.name or f"process {each.pid}" for each in others}))
        yield f"{name} is shared with {names}, which hold {gib(held)} GiB of it: stop them, or give them another GPU."
    for reason in gpu.clocks_limited_by or []:
        yield f"{name} runs below its clock: {_LIMITS[reason]}."
    link = gpu.pcie
    if link and link.width and link.maximum_width and link.width < link.maximum_width:
        yield (
            f"{name} has {link.width} PCIe lanes of the {link.maximum_width} that card and slot can do: seat it again, or move"
            " it to a slot with all lanes."
        )


# Less is what a host does by itself
_BUSY = 0.5

_LIMITS = {
    "power": "its power limit is reached; raise it with nvidia-smi --power-limit where the card allows",
    "thermal": "it is too hot; look at fans, dust and the air that it gets",
    "power-brake": "the machine's power supply asks it to brake; look at the supply and its cables",
    "hardware": "the hardware slows it down for heat or power; look at fans and the power supply",
}


def _of_host(plan: Plan, host: InferenceHost, unit: str | None, busy_cores: float) -> t.Iterator[str]:
    if busy_cores >= _BUSY:
        yield f"Other programs kept {busy_cores:.1f} cores busy when the benchmark began: measure while the host is quiet."
    if plan.placement == "gpu" or plan.launch is None:
        return
    nodes = len(host.cpu.numa_nodes or []) if host.cpu else 0
    if nodes > 1 and plan.launch.numa is None:
        yield (
            f"The host has {nodes} NUMA nodes and the launch does not say how threads are shared among them: try"
            " numa: distribute."
        )
    running = [each for each in host.instances if each.active and each.unit != unit]
    if running:
        yield f"{', '.join(each.name for each in running)} computed on the same processors: measure while it is quiet."
    usable, cores = (host.cpu.usable_threads, host.cpu.physical_cores) if host.cpu else (None, None)
    if usable and cores and usable < cores:
        yield f"Only {usable} of {cores} cores may be used here: raise the limit of this machine or container."
