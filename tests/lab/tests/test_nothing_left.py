# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab leaves no process, mount, namespace, cgroup, loop device or file behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import keeper, leftovers
from lab.errors import LabError
from lab.laboratory import Lab, living
from lab.paths import state_dir

PATIENCE_SECONDS = 30

# A test in a process of its own, so that it can be killed: it boots a host with everything on, says so, and waits
VICTIM = """
import json, sys, time
from lab.laboratory import Lab

lab = Lab()
lab.start()
host = lab.host("doomed", volumes=["/var/lib/docker"])
lab.package_cache()
host.run("systemd-run --unit=lodger sleep 3600")
lab.play("- hosts: all\\n  gather_facts: false\\n  tasks:\\n    - ansible.builtin.ping:\\n")
print(json.dumps({"name": lab.name, "keeper": lab.keeper, "namespaces": lab.namespaces}), flush=True)
time.sleep(3600)
"""


def wait_until_gone(name, namespaces):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while leftovers.of_lab(name, namespaces) and time.monotonic() < deadline:
        time.sleep(0.1)
    return leftovers.of_lab(name, namespaces)


@pytest.fixture
def victim():
    """A process that runs a lab, and what it said about it."""
    tests = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", VICTIM],
        env={**os.environ, "PYTHONPATH": str(tests)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_a_running_lab_is_seen(lab):
    """The counterpart: what the other tests look for is there while a lab runs."""
    lab.host("web")
    found = "\n".join(lab.leftovers())
    for kind in (
        "mnt namespace",
        "net namespace",
        "pid namespace",
        "in a cgroup",
        "cgroup /",
        "loop device",
        "mounts",
        "folder",
    ):
        assert kind in found


def test_after_success():
    with Lab() as lab:
        lab.host("web")
        lab.package_cache()
        lab.play("- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n")
    assert lab.leftovers() == []


def test_after_a_failure_while_hosts_boot():
    with pytest.raises(LabError, match="already"), Lab() as lab:
        lab.host("web")
        lab.host("web")
    assert lab.leftovers() == []


def test_after_the_test_was_killed(victim):
    process, said = victim
    assert leftovers.of_lab(said["name"], said["namespaces"]) != []
    process.kill()
    process.wait()
    assert wait_until_gone(said["name"], said["namespaces"]) == []


def test_after_test_and_keeper_were_killed(victim):
    process, said = victim
    process.kill()
    os.kill(said["keeper"], signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(each.startswith("process") for each in leftovers.of_lab(said["name"], said["namespaces"])):
        assert time.monotonic() < deadline, "processes survived the keeper"
        time.sleep(0.1)
    assert (state_dir() / said["name"]).exists()
    with Lab() as following:  # its start sweeps
        assert following.name != said["name"]
        assert leftovers.of_lab(said["name"], said["namespaces"]) == []


def test_the_command_takes_a_lab_down(victim):
    _process, said = victim
    assert said["name"] in living()
    run = Path(__file__).resolve().parents[1] / "run"
    done = subprocess.run(
        [str(run), "down", said["name"]],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{said['name']} is down\n")
    assert leftovers.of_lab(said["name"], said["namespaces"]) == []


def test_sweeping_spares_living_labs(lab):
    lab.host("web")
    assert lab.name not in keeper.sweep()
    assert lab.hosts["web"].run("echo here").stdout == "here\n"
