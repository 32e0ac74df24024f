# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""llama-bench: how fast a model is on this host with given options, and the memory that it takes meanwhile."""

from __future__ import annotations

import json
import time
import typing as t

from . import bounded
from .gpu import probe
from .host_files import Files
from .instance import allocation
from .processes import kibibytes

PROGRAM = "llama-bench"
# Asking a driver takes a while, and a processor
_LOOK_SECONDS = 0.5
_GPU_TOOL_SECONDS = 5.0
_OUTPUT_BYTES = 64 * 2**20


class Watch:
    """The most memory that a process was seen to hold, on each GPU by the driver's count and in RAM by the kernel's."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._next = 0.0
        self._reading: probe.Reading | None = None
        self.host_bytes: int | None = None
        self.gpus: dict[int, dict[str, t.Any]] = {}

    def look(self, pid: int) -> None:
        """Look at a process, if the last look was long enough ago."""
        status = self.files.table("/proc", str(pid), "status")
        self.host_bytes = kibibytes(status.get("VmHWM")) or self.host_bytes
        now = time.monotonic()
        if now < self._next or (self._reading is not None and not self._reading.gpus):
            return
        self._reading = probe.read(self.files, _GPU_TOOL_SECONDS)
        self._next = time.monotonic() + _LOOK_SECONDS
        for index, gpu in enumerate(self._reading.gpus):
            own = [entry["memory_bytes"] for entry in gpu["processes"] if entry["pid"] == pid]
            if own and None not in own:
                first = {"index": index, "uuid": gpu["uuid"], "held_bytes": 0, "clocks_limited_by": []}
                seen = self.gpus.setdefault(index, first)
                seen["held_bytes"] = max(seen["held_bytes"], sum(own))
                limits = gpu["clocks_limited_by"] or []
                seen["clocks_limited_by"] = sorted({*seen["clocks_limited_by"], *limits})

    @property
    def driver(self) -> str | None:
        """The version of the GPU driver."""
        return self._reading.driver.get("version") if self._reading else None


def run(
    program: str,
    words: t.Sequence[str],
    environment: t.Mapping[str, str],
    seconds: float,
    files: Files | None = None,
) -> dict[str, t.Any]:
    """Return `{context, build, model, rates, devices, host, gpus, driver, host_held_bytes, busy_cores}` of one run.

    :raises Broken: it refuses the options, fails, or takes longer than `seconds`; the text is a predicate.
    """
    watch = Watch(files or Files())
    load = (watch.files.text("/proc/loadavg") or "").partition(" ")[0]
    argv = [program, *words, "--verbose", "--output", "json"]
    result = bounded.run(argv, seconds, _OUTPUT_BYTES, more=environment, watch=watch.look)
    if result.status:
        raise bounded.Broken(f"failed: {result.reason}")
    entries = _entries(result.output)
    seen = allocated(result.error.decode("utf-8", "replace"))
    return {
        **read(entries),
        "devices": seen.devices if seen else None,
        "host": seen.host if seen else None,
        "gpus": [watch.gpus[index] for index in sorted(watch.gpus)],
        "driver": watch.driver,
        "host_held_bytes": watch.host_bytes,
        "busy_cores": float(load) if load else None,
    }


def read(entries: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return context, build, model and rates of the JSON that llama-bench prints: an entry for each test, of a prompt or of generation."""
    first = entries[0]
    rates: dict[int, dict[str, t.Any]] = {}
    for entry in entries:
        rate = rates.setdefault(int(entry["n_depth"]), {"depth": int(entry["n_depth"])})
        kind = "prefill" if entry["n_prompt"] else "decode"
        rate[f"{kind}_tokens_per_second"] = round(float(entry["avg_ts"]), 3)
        rate[f"{kind}_deviation"] = round(float(entry["stddev_ts"]), 3)
        if kind == "prefill":
            rate["prompt_tokens"] = int(entry["n_prompt"])
    return {
        "context": max(int(entry["n_prompt"]) + int(entry["n_gen"]) + int(entry["n_depth"]) for entry in entries),
        "build": int(first["build_number"]),
        "model": {"parameters": int(first["model_n_params"]), "bytes": int(first["model_size"])},
        "rates": [rates[depth] for depth in sorted(rates)],
    }


def allocated(log: str) -> allocation.Allocation | None:
    """Return the buffers of a run when they were largest: it makes a context for each test, one after another."""
    model, *contexts = log.split("constructing llama_context")
    seen = [allocation.read((model + context).splitlines()) for context in contexts]
    return max(filter(None, seen), key=_total, default=None)


def _total(seen: allocation.Allocation) -> int:
    sizes = [size for held in (seen.host, *seen.devices) for size in held.values() if isinstance(size, int)]
    return sum(sizes)


def _entries(output: bytes) -> list[dict[str, t.Any]]:
    try:
        entries = json.loads(output)
        if isinstance(entries, list) and entries:
            read(entries)
            return entries
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise bounded.Broken("printed no results")
