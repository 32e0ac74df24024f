# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of every kind, as folders: what is found there follows from files and from what a few programs say."""

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.bounded import Broken, Result
from ansible_collections.prositronic.infra.plugins.module_utils.container_host import engines, programs, toolkit
from ansible_collections.prositronic.infra.plugins.module_utils.host_files import Files

STATE = "/var/lib/prositronic/nvidia_container_toolkit"
VERSIONS = {
    "dockerd": "Docker version 26.1.5+dfsg1, build a72d7cd\n",
    "containerd": "containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6+b4\n",
    "crio": "crio version 1.31.0\nVersion:        1.31.0\n",
    "podman": "podman version 5.4.2\n",
    "k3s": "k3s version v1.31.4+k3s1 (a562d090)\ngo version go1.22.9\n",
}


class Machine:
    """A host below a folder, and the answers of its programs."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.files = Files(str(root))
        self.units = {}
        self.answers = {}
        monkeypatch.setattr(programs, "run", self._run)
        for helper in ("systemctl", "runuser", "dpkg", "dpkg-query", "rpm", "nvidia-ctk"):
            self.install(helper)

    def write(self, path, text="", executable=False):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if executable:
            file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def install(self, program, folder="/usr/bin"):
        self.write(f"{folder}/{program}", executable=True)

    def _run(self, argv, _seconds):
        name = os.path.basename(argv[0])
        if "systemctl" in (name, *argv):
            unit = next(part for part in argv if part.endswith(".service"))
            state, since = self.units.get(unit, (None, 0))
            lines = ["LoadState=not-found"] if state is None else ["LoadState=loaded", f"ActiveState={state}"]
            return Result(0, "\n".join([*lines, f"ActiveEnterTimestampMonotonic={since}"]).encode(), b"")
        text = self.answers.get(name, VERSIONS.get(name))
        if text is None:
            raise Broken("could not be started: No such file or directory")
        return Result(0, text.encode(), b"")

    def engines(self):
        return {each["id"]: each for each in engines.engines(self.files, STATE)}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(engines.pwd, "getpwall", list)
    return Machine(tmp_path, monkeypatch)


def test_a_host_without_engines(machine):
    assert machine.engines() == {}


def test_docker_and_the_containerd_that_it_brings(machine):
    machine.install("dockerd", "/usr/sbin")
    machine.install("containerd")
    machine.units = {"docker.service": ("active", 1), "containerd.service": ("active", 1)}
    machine.write("/etc/docker/daemon.json", "{}")
    found = machine.engines()
    assert found["docker"] == {
        "id": "docker",
        "name": "docker",
        "version": "26.1.5",
        "used": True,
        "unit": "docker.service",
        "active": True,
        "user": None,
        "config": "/etc/docker/daemon.json",
        "drop_in": None,
        "reads": ["/etc/docker/daemon.json"],
        "journal": f"{STATE}/docker",
        "restart_pending": False,
        "knows_nvidia": None,
    }
    assert (found["containerd"]["version"], found["containerd"]["used"]) == ("1.7.24", False)


@pytest.mark.parametrize("user_of_containerd", ["kubelet", "nerdctl"])
def test_a_containerd_that_others_use_besides_docker(machine, user_of_containerd):
    for program in ("dockerd", "containerd", user_of_containerd):
        machine.install(program)
    assert machine.engines()["containerd"]["used"] is True


def test_a_containerd_alone_and_what_it_imports(machine):
    machine.install("containerd", "/usr/local/bin")
    machine.write(
        "/etc/containerd/config.toml",
        'version = 2\nimports = [\n  "/etc/containerd/conf.d/*.toml", "site/*.toml", "/srv/none.toml",\n]\n',
    )
    for path in ("conf.d/99-nvidia.toml", "conf.d/10-a.toml", "conf.d/readme", "site/b.toml"):
        machine.write(f"/etc/containerd/{path}")
    found = machine.engines()["containerd"]
    assert found["used"] is True
    assert found["reads"] == [
        "/etc/containerd/config.toml",
        "/etc/containerd/conf.d/10-a.toml",
        "/etc/containerd/conf.d/99-nvidia.toml",
        "/etc/containerd/site/b.toml",
    ]


def test_crio_reads_its_drop_ins(machine):
    machine.install("crio")
    machine.write("/etc/crio/crio.conf.d/10-crio.conf")
    assert machine.engines()["crio"]["reads"] == ["/etc/crio/crio.conf.d/10-crio.conf"]


def test_podman_has_no_daemon(machine):
    machine.install("podman")
    found = machine.engines()["podman"]
    assert (found["version"], found["unit"], found["active"]) == ("5.4.2", None, False)


@pytest.mark.parametrize(
    ("state", "generated", "knows"),
    [
        ("active", "runtimes.nvidia", True),
        ("active", "runtimes.runc", False),
        ("active", None, False),
        ("inactive", None, None),
    ],
)
def test_k3s_agent(machine, state, generated, knows):
    machine.install("k3s", "/usr/local/bin")
    machine.units = {"k3s-agent.service": (state, 1)}
    if generated:
        machine.write("/var/lib/rancher/k3s/agent/etc/containerd/config.toml", generated)
    found = machine.engines()["k3s"]
    assert (found["version"], found["unit"], found["knows_nvidia"]) == ("1.31.4", "k3s-agent.service", knows)


@pytest.mark.parametrize(
    ("state", "started_after", "pending"),
    [
        ("active", False, True),
        ("active", True, False),
        ("failed", False, True),
        ("failed", True, True),
        ("inactive", False, False),
    ],
)
def test_an_engine_that_started_before_its_files_were_written(machine, monkeypatch, state, started_after, pending):
    machine.install("dockerd")
    machine.units = {"docker.service": (state, 100 * 1_000_000)}
    monkeypatch.setattr(engines.time, "time", lambda: 10_000.0)
    monkeypatch.setattr(engines.time, "clock_gettime", lambda _clock: 1_000.0)  # booted at 9,000, started at 9,100
    journal = f"{STATE}/docker/journal.json"
    machine.write(journal, "{}")
    written_at = 9_050 if started_after else 9_150
    os.utime(machine.root / journal.lstrip("/"), (written_at, written_at))
    assert machine.engines()["docker"]["restart_pending"] is pending


def test_docker_of_users(machine, monkeypatch):
    alice = engines.pwd.struct_passwd(("alice", "x", 1000, 1000, "", "/home/alice", "/bin/sh"))
    bob = engines.pwd.struct_passwd(("bob", "x", 1001, 1001, "", "/home/bob", "/bin/sh"))
    monkeypatch.setattr(engines.pwd, "getpwall", lambda: [alice, bob])
    monkeypatch.setattr(engines.pwd, "getpwnam", {"alice": alice}.__getitem__)
    machine.install("dockerd")
    machine.write("/home/alice/.config/systemd/user/docker.service")
    machine.write("/home/alice/.config/docker/daemon.json", "{}")
    found = machine.engines()
    assert list(found) == ["docker", "docker_rootless_alice"]
    rootless = found["docker_rootless_alice"]
    assert (rootless["name"], rootless["user"], rootless["uid"]) == ("docker_rootless", "alice", 1000)
    assert rootless["config"] == "/home/alice/.config/docker/daemon.json"
    assert rootless["reads"] == [rootless["config"]]
    assert rootless["journal"] == f"{STATE}/docker_rootless_alice"


def test_packages_of_dpkg_and_rpm(machine):
    machine.answers["dpkg-query"] = (
        "installed nvidia-container-toolkit 1.20.0-1\nnot-installed libnvidia-container1 \nconfig-files libnvidia-container-tools 1.19.1-1\n"
    )
    machine.answers["rpm"] = (
        "installed nvidia-container-toolkit 1.19.1-1\npackage libnvidia-container1 is not installed\n"
    )
    nothing = dict.fromkeys(toolkit.PACKAGES)
    assert toolkit.packages(machine.files, "apt") == {**nothing, "nvidia-container-toolkit": "1.20.0-1"}
    assert toolkit.packages(machine.files, "dnf") == {**nothing, "nvidia-container-toolkit": "1.19.1-1"}
    del machine.answers["rpm"]
    assert toolkit.packages(machine.files, "zypper") == nothing


def test_holds(machine):
    machine.answers["dpkg"] = "nvidia-container-toolkit\t\t\thold\nlibnvidia-container1\tinstall\n"
    assert toolkit.held(machine.files, "apt") == ["nvidia-container-toolkit"]
    assert toolkit.held(machine.files, "dnf") == []
    machine.write("/etc/zypp/locks", "type: package\nmatch_type: glob\nsolvable_name: libnvidia-container1\n")
    assert toolkit.held(machine.files, "zypper") == ["libnvidia-container1"]


def test_sources_of_earlier_installations(machine):
    folder = "/etc/apt/sources.list.d"
    own = f"{folder}/nvidia-container-toolkit.sources"
    old = "deb [signed-by=/k.gpg] https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /\n"
    other = "deb https://download.docker.com/linux/debian trixie stable\n"
    contents = {
        own: old,
        f"{folder}/a.list": f"# comment\n{old}#deb https://commented.out/ x\n",
        f"{folder}/b.sources": "Types: deb\nURIs: https://nvidia.github.io/nvidia-docker/debian10/amd64\nSuites: /\n",
        f"{folder}/docker.list": other,
        f"{folder}/both.list": old + other,
        f"{folder}/off.list": f"# {old}",
        f"{folder}/a.list.save": old,
    }
    for path, text in contents.items():
        machine.write(path, text)
    assert toolkit.old_sources(machine.files, "apt", own) == (
        [f"{folder}/a.list", f"{folder}/b.sources"],
        [f"{folder}/both.list"],
    )
    repo = "[libnvidia-container]\nbaseurl=https://nvidia.github.io/libnvidia-container/stable/centos8/$basearch\n"
    machine.write("/etc/yum.repos.d/libnvidia-container.repo", repo)
    assert toolkit.old_sources(machine.files, "dnf", "") == (["/etc/yum.repos.d/libnvidia-container.repo"], [])
    assert toolkit.old_sources(machine.files, "zypper", "") == ([], [])


def test_what_else_a_host_may_be(machine):
    assert (toolkit.operator(machine.files), toolkit.is_wsl(machine.files), toolkit.is_jetson(machine.files)) == (
        None,
        False,
        False,
    )
    machine.install("nvidia-container-runtime", "/usr/local/nvidia/toolkit")
    machine.write("/proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n")
    machine.write("/proc/device-tree/compatible", "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
    assert toolkit.operator(machine.files) == "/usr/local/nvidia/toolkit/nvidia-container-runtime"
    assert toolkit.is_wsl(machine.files)
    assert toolkit.is_jetson(machine.files)


def gpu(uuid, parent=None):
    return {"uuid": uuid, "mig": {"profile": "1g.10gb", "parent_uuid": parent} if parent else None}


@pytest.mark.parametrize(
    ("devices", "gpus", "missing", "stale"),
    [
        (["0", "GPU-a", "all"], [gpu("GPU-a")], [], []),
        (["0", "GPU-a", "all"], [gpu("GPU-a"), gpu("GPU-b")], ["GPU-b"], []),
        # a card was cut into slices after its device was written
        (["0", "GPU-a", "all"], [gpu("MIG-1", "GPU-a"), gpu("MIG-2", "GPU-a")], ["MIG-1", "MIG-2"], ["GPU-a"]),
        (["0:0", "MIG-1", "all"], [gpu("MIG-1", "GPU-a")], [], []),
        # MIG mode without slices: there is nothing to give
        (["all"], [gpu("GPU-a", "GPU-a")], [], []),
        # named by number only
        (["0", "1", "all"], [gpu("GPU-a"), gpu("GPU-b")], [], []),
        (["0", "all"], [gpu("GPU-a"), gpu("GPU-b")], ["GPU-b"], []),
        (["0", "1", "all"], [gpu("GPU-a")], [], ["1"]),
        ([], [gpu("GPU-a")], ["GPU-a"], []),
        ([], [], [], []),
    ],
)
def test_devices_against_the_driver(devices, gpus, missing, stale):
    assert toolkit.cdi_difference(devices, gpus) == (missing, stale)


def test_devices_as_nvidia_ctk_lists_them(machine):
    machine.answers["nvidia-ctk"] = "nvidia.com/gpu=0\nnvidia.com/gpu=all\namd.com/gpu=0\n"
    assert toolkit.cdi_devices(machine.files) == ["0", "all"]
    del machine.answers["nvidia-ctk"]
    assert toolkit.cdi_devices(machine.files) is None
