# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time and memory of `fleet_fit` over many hosts, against an empty play over the same inventory.

Both are whole `ansible-playbook` runs in turn, so that a noisy machine is noisy for both; the ratio is the figure. Run it
with the Python of an environment that has ansible-core and this collection: `.demo/bin/python benchmarks/fleet_fit.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GIB = 1 << 30
EMPTY = """
- hosts: all
  gather_facts: false
  tasks: []
"""
PLAN = """
- hosts: all
  gather_facts: false
  tasks:
    - prositronic.infra.fleet_fit:
        models:
          - {name: v31, model: deepseek-v3.1, quant: Q4_K_M, context: 32768}
      run_once: true
"""


def inventory(hosts: int, gpus: int) -> dict:
    """Return machines that differ in name, uuids and the jitter of free memory, in four sizes of RAM."""
    machines = {}
    for number in range(hosts):
        devices = [
            {
                "index": index,
                "uuid": f"GPU-{number:08x}-{index}",
                "name": "NVIDIA H100 80GB HBM3",
                "vendor": "nvidia",
                "pci_bus_id": f"0000:{index:02x}:00.0",
                "pci_device_id": "10de:2330",
                "memory_total_bytes": 81559 << 20,
                "memory_free_bytes": (80900 << 20) + (number * 7 + index) % 13 * (1 << 20),
                "compute_capability": "9.0",
                "source": "nvml",
            }
            for index in range(gpus)
        ]
        ram = (512, 1024, 1536, 2048)[number % 4] * GIB
        machines[f"gpu{number:05}"] = {
            "inference_host": {
                "gpus": devices,
                "memory": {"total_bytes": ram, "available_bytes": ram - 8 * GIB - number % 50 * (1 << 20)},
                "driver": {"version": "610.43.02"},
            }
        }
    return {"all": {"hosts": machines}}


def run(playbook: Path, hosts: Path) -> tuple[float, float]:
    """Return the seconds and the peak MiB of one run."""
    program = Path(sys.executable).parent / "ansible-playbook"
    started = time.monotonic()
    process = subprocess.Popen([program, "-i", hosts, playbook], stdout=subprocess.DEVNULL, env=os.environ | SETTINGS)
    _pid, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{playbook.name} failed")
    return time.monotonic() - started, usage.ru_maxrss / 1024


SETTINGS = {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_HOST_KEY_CHECKING": "false"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder, "hosts.json")
        hosts.write_text(json.dumps(inventory(options.hosts, options.gpus)), encoding="utf-8")
        plays = {name: Path(folder, f"{name}.yml") for name in ("empty", "plan")}
        plays["empty"].write_text(EMPTY, encoding="utf-8")
        plays["plan"].write_text(PLAN, encoding="utf-8")
        results: dict[str, list[tuple[float, float]]] = {"empty": [], "plan": []}
        for _run in range(options.runs):
            for name, play in plays.items():
                results[name].append(run(play, hosts))
    print(f"{options.hosts} hosts with {options.gpus} GPUs, {options.runs} runs of each, medians:")
    medians = {}
    for name, figures in results.items():
        medians[name] = [statistics.median(column) for column in zip(*figures, strict=True)]
        print(f"  {name:6} {medians[name][0]:7.1f} s  {medians[name][1]:7.0f} MiB")
    seconds, memory = (medians["plan"][i] / medians["empty"][i] for i in (0, 1))
    print(f"  ratio  {seconds:7.2f}    {memory:7.2f}    (1.5 is the limit for both)")


if __name__ == "__main__":
    main()
