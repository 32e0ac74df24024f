# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the lab takes to start three hosts, one of each suite, from cached images, and to take them down.

    python benchmarks/lab_start.py [--runs 3]

As root on Linux, after `tests/lab/run setup`. A start is done when every host's systemd has started everything and an
ad-hoc ping of real Ansible came back from all three. Wanted are less than 15 s for it on two cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from lab.errors import LabError
from lab.host import Machine
from lab.image import SUITES, Image
from lab.laboratory import Lab

WANTED_SECONDS = 15
PING = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"


def one_run() -> dict[str, float]:
    """Seconds since the beginning at which each thing was done."""
    began = time.monotonic()
    done = {}
    lab = Lab()
    with lab:
        done["namespaces"] = time.monotonic() - began
        lab.boot(*(Machine(suite, suite) for suite in SUITES))
        done["three hosts ready"] = time.monotonic() - began
        lab.play(PING)
        done["Ansible's ping by ssh"] = time.monotonic() - began
        leaving = time.monotonic()
    done["taking all down (by itself)"] = time.monotonic() - leaving
    return done


def main() -> int:
    """Print the median, and all runs."""
    parser = argparse.ArgumentParser(description="Time the start of three hosts from cached images.")
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    try:
        for suite in SUITES:
            Image(suite).lower_folders()
        results = [one_run() for _run in range(runs)]
    except LabError as problem:
        print(f"lab_start: {problem}", file=sys.stderr)
        return 1
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {runs} runs; median (all), seconds since the start")
    for what in results[0]:
        seconds = [each[what] for each in results]
        print(f"{what:28} {statistics.median(seconds):6.2f}   ({', '.join(f'{each:.2f}' for each in seconds)})")
    median = statistics.median(each["Ansible's ping by ssh"] for each in results)
    print(f"wanted: less than {WANTED_SECONDS} s: {'yes' if median < WANTED_SECONDS else 'NO'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
