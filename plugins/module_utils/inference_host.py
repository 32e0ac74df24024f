# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything a plan needs to know of this host: the `inference_host` of the contract."""

from __future__ import annotations

import datetime
import os
import platform
import typing as t

from . import instances, measured
from .gpu import probe
from .host_files import Files
from .machine import cpu, measure, memory, storage


def gather(
    paths: t.Sequence[str],
    state_folder: str,
    timeout: float,
    measurements: t.Collection[str] = (),
    measure_seconds: float = 2.0,
    files: Files | None = None,
) -> dict[str, t.Any]:
    """Return the facts; what cannot be read is None with an entry in `problems`, never an error.

    `paths` are model folders, `timeout` the seconds that GPU tools may take together, `measurements` what of "memory"
    and "storage" is measured for `measure_seconds` each.
    """
    files = files or Files()
    gpus = probe.read(files, timeout)
    ram = memory.read(files)
    processors = cpu.read(files)
    folders, storage_problems = storage.read(files, paths)
    devices = probe.with_host_memory(gpus.gpus, ram)
    running, instance_problems = instances.read(files, state_folder, devices)
    observed, measured_problems = measured.read(files, state_folder)
    problems = gpus.problems + storage_problems + instance_problems + measured_problems
    if "memory" in measurements:
        processors, more = measure.memory(files, processors, ram, measure_seconds)
        problems += more
    if "storage" in measurements:
        folders, more = measure.storage(folders, measure_seconds)
        problems += more
    if ram["total_bytes"] is None:
        problems.append("/proc/meminfo does not tell the memory of this host")
    return {
        "gathered_at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "name": platform.node() or None,
        "gpus": devices,
        "driver": gpus.driver,
        "cpu": processors,
        "memory": ram,
        "storage": folders,
        "instances": running,
        "measured": observed,
        "problems": problems + _denied(files),
    }


def _denied(files: Files) -> list[str]:
    if not files.denied:
        return []
    names = ", ".join(files.denied[:5]) + (f" and {len(files.denied) - 5} more" if len(files.denied) > 5 else "")
    return [f"user {os.geteuid()} may not read {names}: run with become to have the facts in them"]
