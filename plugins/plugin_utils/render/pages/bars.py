# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of memory: each device as a bar of what fills it, in percent of its free memory."""

from __future__ import annotations

import typing as t

from ...contract.memory import MemoryLine
from ...contract.plan import PlanMemory
from ...memory.breakdown import Part
from ...memory.placement import HOST
from ...units import gib
from . import words

# In this order the parts lie in a bar; the class is the colour.
KINDS = {
    "attention": "attention",
    "recurrent": "recurrent layers",
    "feed-forward": "feed-forward",
    "shared experts": "shared experts",
    "experts": "routed experts",
    "embeddings": "embeddings and output",
    "weights": "weights",
    "extras": "loaded beside the model",
    "kv": "KV cache",
    "compute": "compute buffer",
    "output": "output buffer",
    "overhead": "runtime overhead",
    "free": "free",
}


class Segment(t.NamedTuple):
    """A part of a bar. `x` and `width` are percent."""

    kind: str
    label: str
    bytes: int
    size: str
    x: float
    width: float


class Bar(t.NamedTuple):
    """One device: `over_bytes` is what does not fit, 0 where all does."""

    name: str
    what: str
    used: str
    of: str
    over: str
    segments: list[Segment]


class Row(t.NamedTuple):
    """A line of the table beneath: what, where, how much, how it is known."""

    what: str
    where: str
    size: str
    exact: str
    basis: str


def bars(memory: PlanMemory, parts: t.Sequence[Part], ram_bytes: int, describe: t.Callable[[int], str]) -> list[Bar]:
    """Return a bar for each device of a plan and one for the host.

    :param parts: the weights by kind; without them weights are one segment.
    :param ram_bytes: RAM of the machine that may be used.
    :param describe: the name of a GPU, by its place in the host's list.
    """
    drawn = []
    for position, device in enumerate(memory.devices):
        filled = {
            **_weights(parts, position, device.weights_bytes),
            "kv": device.kv_bytes,
            "extras": device.extras_bytes,
            "compute": device.compute_bytes,
            "overhead": device.overhead_bytes,
        }
        drawn.append(_bar(device.name, describe(device.index), filled, device.free_bytes))
    host = memory.host
    filled = {
        **_weights(parts, HOST, host.weights_bytes),
        "kv": host.kv_bytes,
        "extras": host.extras_bytes,
        "compute": host.compute_bytes,
        "output": host.output_bytes,
    }
    drawn.append(_bar("RAM", "host", filled, ram_bytes))
    return drawn


def _weights(parts: t.Sequence[Part], device: int, weights_bytes: int) -> dict[str, int]:
    if not parts:
        return {"weights": weights_bytes}
    sums: dict[str, int] = {}
    for part in parts:
        if part.device == device:
            sums[part.kind] = sums.get(part.kind, 0) + part.bytes
    return sums


def _bar(name: str, what: str, filled: dict[str, int], room_bytes: int) -> Bar:
    used = sum(filled.values())
    whole = max(used, room_bytes, 1)
    if room_bytes > used:
        filled["free"] = room_bytes - used
    segments = []
    position = 0
    for kind, label in KINDS.items():
        size = filled.get(kind, 0)
        if size:
            segments.append(
                Segment(
                    kind.replace(" ", "-"),
                    label,
                    size,
                    words.size(size),
                    round(100 * position / whole, 3),
                    round(100 * size / whole, 3),
                )
            )
            position += size
    over = words.size(used - room_bytes) if used > room_bytes else ""
    return Bar(name, what, words.size(used), words.size(room_bytes), over, segments)


def rows(lines: t.Sequence[MemoryLine], parts: t.Sequence[Part]) -> list[Row]:
    """Return the table of a plan's memory, weights by kind where that is known."""
    table = []
    for line in lines:
        split = _split(line, parts) if line.what == "weights" else {}
        basis = words.BASES[line.basis] + (", may come later" if line.later else "")
        for what, size in (split or {line.what: line.bytes}).items():
            table.append(Row(what, _where(line.where), gib(size, 2), f"{size:,}", basis))
    return table


def _split(line: MemoryLine, parts: t.Sequence[Part]) -> dict[str, int]:
    device = HOST if line.where == "host" else int(line.where.removeprefix("GPU"))
    sums = _weights(parts, device, line.bytes) if parts else {}
    return {f"weights: {KINDS[kind]}": sums[kind] for kind in KINDS if kind in sums}


def _where(name: str) -> str:
    return "RAM" if name == "host" else name
