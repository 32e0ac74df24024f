# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role refuses, and in which words: its variables are data and need no host."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.prositronic.infra.tests.unit.templar import render

ROLE = Path(__file__).resolve().parents[3] / "roles" / "nvidia_container_toolkit"
NAME = "nvidia_container_toolkit"
OLDER, SAME, NEWER = "1.19.1-1", "1.20.0-1", "1.21.0-1"


def load(path):
    return yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))


VARIABLES = {
    **load("defaults/main.yml"),
    **load("vars/main/names.yml"),
    **load("vars/main/refusals.yml"),
    **load("vars/main/outcome.yml"),
}
FACTS = {"pkg_mgr": "apt", "distribution": "Debian"}
HOST = {
    "is_root": True,
    "architecture": "x86_64",
    "wsl": False,
    "jetson": False,
    "gpu_operator": None,
    "packages": {"nvidia-container-toolkit": None, "libnvidia-container1": None},
    "held": [],
    "mixed_sources": [],
    "driver_version": "580.95.05",
    "gpus": ["GPU-a"],
    "gpu_problems": [],
    "cdi": {"devices": ["0"], "missing": [], "stale": [], "static": []},
    "engines": [
        {"id": "docker", "name": "docker", "used": True, "restart_pending": False, "knows_nvidia": None},
        {"id": "containerd", "name": "containerd", "used": False, "restart_pending": False, "knows_nvidia": None},
    ],
}


def evaluate(variable, host=None, facts=None, now=None, **given):
    """The sentences of a list that are not empty."""
    variables = {
        **VARIABLES,
        "ansible_facts": {**FACTS, **(facts or {})},
        f"__{NAME}_host": {**HOST, **(host or {})},
        f"__{NAME}_now": {**HOST, **(now or {})},
        **{f"{NAME}_{key}": value for key, value in given.items()},
    }
    return render(f"__{NAME}_{variable} | select", **variables)


def test_nothing_is_refused_by_default():
    assert evaluate("refused_requests") == []
    assert evaluate("refused_hosts") == []
    assert evaluate("refused_installs") == []
    assert evaluate("failures") == []


@pytest.mark.parametrize("manager", ["apt", "dnf", "dnf5", "zypper"])
def test_package_managers(manager):
    assert evaluate("refused_requests", facts={"pkg_mgr": manager}) == []


def test_another_package_manager():
    assert evaluate("refused_requests", facts={"pkg_mgr": "pacman", "distribution": "Archlinux"}) == [
        "Archlinux uses the package manager pacman; NVIDIA publishes the toolkit for apt, dnf and zypper."
    ]


@pytest.mark.parametrize("version", ["1.19.1", "1.19.1-1", "1.20.0-2", "2.0.0", "1.100.0"])
def test_safe_versions(version):
    assert evaluate("refused_requests", version=version) == []


@pytest.mark.parametrize("version", ["1.19.0", "1.19.0-1", "1.17.8", "0.99.99", "1.2.0"])
def test_unsafe_versions(version):
    (refusal,) = evaluate("refused_requests", version=version)
    assert refusal == (
        f"nvidia_container_toolkit_version is {version}, which is unsafe (CVE-2026-24260: a container can take over its host);"
        " it has to be 1.19.1 or newer."
    )
    # what is unsafe can still be removed
    assert evaluate("refused_requests", version=version, state="absent") == []


@pytest.mark.parametrize("version", ["latest", "1.20", "", "1.20.0-1; rm -rf /", "1.20.0\n", "v1.20.0", "1.20.*"])
def test_what_is_no_version(version):
    refusals = evaluate("refused_requests", version=version, state="absent")
    assert refusals and "it has to be a full version such as 1.20.0" in refusals[0]


@pytest.mark.parametrize("engines", ["auto", [], ["docker"], ["k3s", "podman", "docker_rootless"]])
def test_engines(engines):
    assert evaluate("refused_requests", engines=engines) == []


@pytest.mark.parametrize("engines", ["docker", ["lxc"], {"docker": True, "lxc": 1}, "", None, 1])
def test_engines_that_nobody_knows(engines):
    (refusal,) = evaluate("refused_requests", engines=engines)
    assert refusal.startswith(
        "nvidia_container_toolkit_engines has to be 'auto' or a list out of containerd, crio, docker"
    )


def test_a_hold_with_dnf_needs_the_package_source():
    (refusal,) = evaluate("refused_requests", facts={"pkg_mgr": "dnf"}, hold=True, manage_repository=False)
    assert refusal.startswith("nvidia_container_toolkit_hold works with dnf through the package source")
    assert evaluate("refused_requests", hold=True, manage_repository=False) == []


def test_without_root():
    assert evaluate("refused_hosts", host={"is_root": False}) == [
        "Packages and services can be changed by root only: run with become."
    ]


@pytest.mark.parametrize(
    ("host", "given", "beginning", "allowed"),
    [
        ({"architecture": "ppc64le"}, {}, "This host has the architecture ppc64le", None),
        (
            {},
            {"engines": ["crio"]},
            "nvidia_container_toolkit_engines names crio, which this host does not have; it has docker",
            None,
        ),
        (
            {"gpu_operator": "/usr/local/nvidia/toolkit/nvidia-container-runtime"},
            {},
            "The GPU Operator of Kubernetes provides the toolkit on this host (/usr/local/nvidia/toolkit",
            {"ignore": ["gpu_operator"]},
        ),
        ({"jetson": True}, {}, "This is an NVIDIA Jetson, whose toolkit comes with JetPack", {"ignore": ["jetson"]}),
        (
            {"driver_version": None, "gpu_problems": ["the cards 0000:01:00.0 have no driver"]},
            {"require_driver": True},
            "No NVIDIA driver answers on this host and nvidia_container_toolkit_require_driver is set: install the driver"
            " first, which this role does not do. the cards 0000:01:00.0 have no driver",
            {"require_driver": False},
        ),
        (
            {"packages": {"a": SAME, "b": NEWER}},
            {},
            "This host has b 1.21.0-1, which is newer than nvidia_container_toolkit_version 1.20.0",
            {"allow_downgrade": True},
        ),
    ],
)
def test_hosts_that_are_refused(host, given, beginning, allowed):
    (refusal,) = evaluate("refused_installs", host=host, **given)
    assert refusal.startswith(beginning)
    if allowed is not None:
        assert evaluate("refused_installs", host=host, **{**given, **allowed}) == []


@pytest.mark.parametrize("packages", [{"a": OLDER, "b": SAME}, {"a": None}, {"a": SAME}])
def test_no_downgrade(packages):
    assert evaluate("refused_installs", host={"packages": packages}) == []


@pytest.mark.parametrize(
    ("now", "given", "sentence"),
    [
        ({"cdi": {**HOST["cdi"], "devices": None}}, {}, "'nvidia-ctk cdi list' fails on this host"),
        ({"cdi": {**HOST["cdi"], "missing": ["MIG-1"]}}, {}, "'nvidia-ctk cdi list' has no device for MIG-1"),
        (
            {"engines": [{"id": "k3s", "name": "k3s", "used": True, "restart_pending": False, "knows_nvidia": False}]},
            {"engines": ["k3s"]},
            "k3s was restarted and did not find nvidia-container-runtime",
        ),
    ],
)
def test_what_does_not_work_afterwards(now, given, sentence):
    (failure,) = evaluate("failures", host={"engines": now.get("engines", HOST["engines"])}, now=now, **given)
    assert sentence in failure


def test_the_report_says_what_waits():
    waiting = [dict(HOST["engines"][0], restart_pending=True)]
    said = "\n".join(evaluate("report", now={"engines": waiting, "driver_version": None, "wsl": True}, restart=False))
    assert "NVIDIA container toolkit 1.20.0-1 for docker" in said
    assert "These do not use it until they are restarted: docker" in said
    assert "No NVIDIA driver answers on this host" in said
    assert "This is WSL" in said


def test_every_variable_is_described_with_its_default():
    specification = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {name: option.get("default") for name, option in specification.items()} == load("defaults/main.yml")
    readme = (ROLE / "README.md").read_text(encoding="utf-8")
    assert [name for name in specification if f"`{name}`" not in readme] == []
