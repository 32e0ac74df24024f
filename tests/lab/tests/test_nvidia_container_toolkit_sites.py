# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role nvidia_container_toolkit at sites of every kind: mirrors that break, proxies, no network, rpm, other engines.

Stand-ins: NVIDIA's packages and driver (lab.standins.nvidia), k3s, rke2 and CRI-O (lab.standins.engines), hosts that pass for
Rocky Linux or openSUSE (lab.services.rpm_repository), docker of a user (a unit that sleeps).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab import community_general
from lab.paths import CHECKOUT
from lab.services.recipes import Package
from lab.services.rpm_repository import DISGUISED_AS_OPENSUSE, DISGUISED_AS_ROCKY
from lab.standins import engines, nvidia

pytestmark = pytest.mark.long

ROLE = "nvidia_container_toolkit"
NEW, OLD = "1.20.0-1", "1.19.1-1"


def settings(repository, **more):
    """Variables that point the role at a repository of stand-ins."""
    return {
        "nvidia_container_toolkit_repository_url": f"{repository.files.url}/stable",
        "nvidia_container_toolkit_key_url": repository.key_url,
        "nvidia_container_toolkit_key_fingerprint": repository.key.fingerprint,
        **{f"nvidia_container_toolkit_{name}": value for name, value in more.items()},
    }


def changed(play):
    """Tasks that changed something, without the role's name."""
    return [each.task.rpartition(" : ")[2] for each in play.results if each.changed]


@pytest.fixture(scope="module")
def repository(module_lab):
    made = module_lab.apt_repository()
    made.publish(*nvidia.toolkit(NEW))
    return made


def without_engines(host):
    """A host without any container engine, and without the toolkit."""
    host.run(
        "apt-get purge -qq -y 'nvidia-container*' 'libnvidia-container*'; rm -rf /etc/apt/sources.list.d/*nvidia* /etc/apt/keyrings/*"
    )


@pytest.fixture(scope="module")
def plain(module_lab):
    return module_lab.host("plain")


@pytest.fixture
def host(plain):
    without_engines(plain)
    return plain


def is_installed(host):
    return host.run("nvidia-ctk cdi list", must_pass=False).exit_code == 0


def test_a_repository_that_breaks_and_is_repaired(module_lab, repository, host):
    """On a host whose other package sources are out of reach all the while."""
    with repository.files.down():
        done = module_lab.role(ROLE, host, variables=settings(repository), must_pass=False)
        assert not done.passed
    repository.files.fault("*/Packages*", status=404, times=None)
    repository.files.fault("*/InRelease", drop_after_bytes=10, times=None)
    assert not module_lab.role(ROLE, host, variables=settings(repository), must_pass=False).passed
    repository.files.faults.clear()
    assert "Install the packages with apt" in changed(module_lab.role(ROLE, host, variables=settings(repository)))
    assert is_installed(host)


def test_a_key_with_another_fingerprint_is_not_trusted(module_lab, repository, host):
    variables = settings(repository, key_fingerprint="C95B 321B 61E8 8C18 09C4 F759 DDCA E044 F796 ECB0")
    done = module_lab.role(ROLE, host, variables=variables, must_pass=False)
    assert "expected is C95B321B61E88C1809C4F759DDCAE044F796ECB0: it is not trusted" in done.output
    assert changed(done) == []
    assert not is_installed(host)


def test_a_proxy_is_the_only_way_out(module_lab, repository, host):
    """The repository's name means nothing on the host; the proxy, here the repository's own server, knows it."""
    variables = settings(
        repository,
        repository_url="http://packages.invalid/stable",
        key_url="http://packages.invalid/gpgkey",
        environment={"http_proxy": repository.files.url},
    )
    module_lab.role(ROLE, host, variables=variables)
    assert is_installed(host)


def test_no_network_at_all(module_lab, repository, host, tmp_path):
    """Packages on the host's own disk, in a source that the administrator made."""
    host.push(repository._packages, "/srv/packages")
    host.write("/etc/apt/sources.list", "deb [trusted=yes] file:/srv/packages ./\n")
    host.run("rm -f /etc/apt/sources.list.d/*")
    asked = len(repository.files.requests)
    done = module_lab.role(ROLE, host, variables={"nvidia_container_toolkit_manage_repository": False})
    assert is_installed(host)
    assert changed(done)[0] == "Install the packages with apt"
    assert host.run("ls /etc/apt/sources.list.d /etc/apt/keyrings").stdout.split() == [
        "/etc/apt/keyrings:",
        "/etc/apt/sources.list.d:",
    ]
    assert len(repository.files.requests) == asked


def test_k3s_rke2_crio_and_docker_of_a_user(module_lab, repository):
    """Stand-ins for all four engines."""
    host = module_lab.host("engines", packages=["dbus-user-session", "libpam-systemd"])
    engines.install_k3s(host)
    engines.install_k3s(host, "rke2")
    engines.install_crio(host)
    host.write("/usr/bin/dockerd", "#!/bin/sh\necho 'Docker version 29.0.0, build stand-in'\n", mode=0o755)
    host.run("useradd --create-home --shell /bin/bash alice; loginctl enable-linger alice")
    host.write("/home/alice/.config/systemd/user/docker.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    host.run("chown -R alice: /home/alice")
    as_alice = "runuser -u alice -- env XDG_RUNTIME_DIR=/run/user/$(id -u alice) systemctl --user"
    host.wait_for(f"{as_alice} daemon-reload && {as_alice} start docker")

    def pids():
        services = host.run("systemctl show k3s-agent rke2-agent crio --property=MainPID --value").stdout.split()
        return [*services, host.run(f"{as_alice} show docker --property=MainPID --value").stdout.strip()]

    before = pids()
    variables = settings(repository, default_runtime={"k3s": True, "rke2": False})
    predicted = module_lab.role(ROLE, host, variables=variables, check_mode=True)
    done = module_lab.role(ROLE, host, variables=variables)
    restarts = [task for task in changed(done) if task.startswith("Restart")]
    assert restarts == ["Restart crio", "Restart docker_rootless", "Restart k3s", "Restart rke2"]
    assert [task for task in changed(predicted) if task.startswith("Restart")] == restarts
    after = pids()
    assert [old != new for old, new in zip(before, after, strict=True)] == [True] * 4
    for name in ("k3s", "rke2"):
        assert "nvidia" in host.read(f"/var/lib/rancher/{name}/agent/etc/containerd/config.toml")
    assert host.run("cat /run/rke2-was-told").stdout == ""
    assert "default-runtime: nvidia" in host.read("/run/k3s-was-told")
    assert 'monitor_path = "/usr/libexec/crio/conmon"' in host.read("/etc/crio/crio.conf.d/99-nvidia.toml")
    assert host.run("ls /etc/crio/crio.conf.d").stdout == "10-crio.conf\n99-nvidia.toml\n"
    assert host.run("stat -c '%U %a' /home/alice/.config/docker/daemon.json").stdout == "alice 644\n"
    assert '"nvidia"' in host.read("/home/alice/.config/docker/daemon.json")
    assert changed(module_lab.role(ROLE, host, variables=variables)) == []
    assert pids() == after
    module_lab.role(ROLE, host, variables=settings(repository, state="absent"))
    for name in ("k3s", "rke2"):
        assert "nvidia" not in host.read(f"/var/lib/rancher/{name}/agent/etc/containerd/config.toml")
    assert host.run("find /etc/crio /etc/rancher /home/alice/.config/docker -type f").stdout == (
        "/etc/crio/crio.conf.d/10-crio.conf\n"
    )


def test_rpm_on_a_debian_host_disguised_as_rocky(module_lab):
    """Real dnf and rpm, in disguise: install, second run, hold, downgrade, upgrade, uninstall."""
    host = module_lab.host("rocky", **DISGUISED_AS_ROCKY)
    repository = module_lab.rpm_repository()
    repository.publish(*nvidia.toolkit(OLD, "rpm"), *nvidia.toolkit(NEW, "rpm"))
    host.write(
        "/etc/yum.repos.d/nvidia-docker.repo", "[x]\nbaseurl=https://nvidia.github.io/nvidia-docker/centos7/x86_64\n"
    )

    def run(must_pass=True, **more):
        return module_lab.role(ROLE, host, variables=settings(repository, **more), must_pass=must_pass)

    def versions():
        return set(host.run("rpm -qa --qf '%{VERSION}-%{RELEASE}\\n' '*nvidia-container*'").stdout.split())

    run(version="1.19.1", hold=True)
    assert versions() == {OLD}
    assert host.run("ls /etc/yum.repos.d").stdout == "nvidia-container-toolkit.repo\n"
    host.run("dnf -q -y upgrade")  # somebody else upgrades everything: the hold keeps these
    assert versions() == {OLD}
    run()
    assert versions() == {NEW}
    run(version="1.19.1", allow_downgrade=True)
    assert versions() == {OLD}
    assert changed(run(version="1.19.1")) == []
    run(state="absent")
    assert versions() == set()
    assert host.run("ls /etc/yum.repos.d /etc/pki/rpm-gpg").stdout.split() == ["/etc/pki/rpm-gpg:", "/etc/yum.repos.d:"]


def test_zypper_on_a_debian_host_disguised_as_opensuse(module_lab):
    """Real zypper and rpm, in disguise, with the real community.general: without it refused, install, second run, downgrade
    of what is held, uninstall.
    """
    host = module_lab.host("suse", **DISGUISED_AS_OPENSUSE)
    repository = module_lab.rpm_repository()
    repository.publish(*nvidia.toolkit(OLD, "rpm"), *nvidia.toolkit(NEW, "rpm"))
    # There the package of the distribution's name says of which architecture packages are
    repository.publish(Package("opensuse-release", "15.6-1", files={"/etc/os-release": ""}))
    host.push(next(repository._packages.glob("opensuse-release*.rpm")), "/root/release.rpm")
    host.run("rpm --install --justdb --nodeps --nosignature /root/release.rpm")
    collections = f"{module_lab.state / 'collections'}:{community_general.folder()}"

    def run(environment=None, must_pass=True, **more):
        variables = settings(repository, **more)
        return module_lab.role(ROLE, host, variables=variables, environment=environment, must_pass=must_pass)

    def run_with_it(**more):
        return run({"ANSIBLE_COLLECTIONS_PATH": collections}, **more)

    def versions():
        return set(host.run("rpm -qa --qf '%{VERSION}-%{RELEASE}\\n' '*nvidia-container*'").stdout.split())

    assert (
        "uses zypper, whose Ansible modules are in the collection community.general: install it on the controller with"
        " ansible-galaxy collection install community.general."
    ) in run(must_pass=False).output
    run_with_it(hold=True)
    assert versions() == {NEW}
    assert host.run("zypper --non-interactive locks").stdout.count("nvidia-container") == 4
    assert changed(run_with_it(hold=True)) == []
    run_with_it(version="1.19.1", allow_downgrade=True, hold=True)
    assert versions() == {OLD}
    assert host.run("zypper --non-interactive locks").stdout.count("nvidia-container") == 4
    run_with_it(state="absent")
    assert versions() == set()
    assert "nvidia" not in host.run("zypper --non-interactive repos || true").stdout


@pytest.mark.without_lab
@pytest.mark.parametrize("inventory", [[], ["--inventory", "nobody,", "--extra-vars", "target_hosts=gpu"]])
def test_the_command_without_hosts_says_what_to_pass(tmp_path, inventory):
    (tmp_path / "ansible_collections" / "prositronic").mkdir(parents=True)
    (tmp_path / "ansible_collections" / "prositronic" / "infra").symlink_to(CHECKOUT)
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [str(program), *inventory, "prositronic.infra.nvidia_container_toolkit"],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_INVENTORY": "/dev/null"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode != 0
    assert "pass an inventory with -i" in done.stdout
