# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role nvidia_container_toolkit on Debian 12, 13 and forky with real containerd, docker, podman, apt and systemd.

Stand-ins: NVIDIA's driver and the toolkit's packages (see lab.standins.nvidia), in a repository that apt reaches as it
would NVIDIA's. The tests of this file tell one story in their order, on the same three hosts.
"""

from __future__ import annotations

import json
import tomllib

import pytest
from lab.host import Machine
from lab.standins import nvidia

PLAYBOOK = "prositronic.infra.nvidia_container_toolkit"
SUITES = ("bookworm", "trixie", "forky")
ENGINES = ["busybox-static", "containerd", "crun", "docker.io", "podman", "runc"]
VOLUMES = ["/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"]
NEW, OLD = "1.20.0-1", "1.19.1-1"
DAEMON_JSON = "/etc/docker/daemon.json"
MAIN = "/etc/containerd/config.toml"
DROP_IN = "/etc/containerd/conf.d/99-nvidia.toml"
HAND_MADE = '{\n    "log-opts": {"max-size": "10m"},\n    "log-driver": "json-file"\n}\n'
IMAGE = "mkdir -p /tmp/root/bin && cp /bin/busybox /tmp/root/bin/env && tar -C /tmp/root -c . | {} import - tiny"

# Docker and podman are found; containerd, which is docker's own where both are, is configured when it is named.
NAMED = "{{ 'auto' if inventory_hostname == 'trixie' else ['containerd', 'docker', 'podman'] }}"

# Tasks that check mode cannot foresee one by one, because the packages are what brings the units
WITH_THE_PACKAGES = {
    "Install the packages with apt",
    "Have the CDI specification refreshed when the driver changes",
    "Have the CDI specification refreshed at every boot",
    "Regenerate the CDI specification by its service",
}


def machine(name, suite="trixie", **options):
    # Debian 13 has docker's command line in a package of its own
    packages = [*ENGINES, *(["docker-cli"] if suite != "bookworm" else [])]
    return Machine(name, suite, packages=packages, volumes=VOLUMES, **options)


def settings(repository, **more):
    """Variables that point the role at a repository of stand-ins, as they would at a mirror."""
    return {
        "nvidia_container_toolkit_repository_url": f"{repository.files.url}/stable",
        "nvidia_container_toolkit_key_url": repository.key_url,
        "nvidia_container_toolkit_key_fingerprint": repository.key.fingerprint,
        **{f"nvidia_container_toolkit_{name}": value for name, value in more.items()},
    }


def role_on(*where):
    """A play that gathers no facts, which the role does not need."""
    names = ",".join(host.name for host in where)
    return [{"hosts": names, "gather_facts": False, "roles": ["prositronic.infra.nvidia_container_toolkit"]}]


def changed(play):
    """{(host, task)} of everything that changed, without the role's name before the task."""
    return {(each.host, each.task.rpartition(" : ")[2]) for each in play.results if each.changed}


def diff(play, task, host):
    """Texts before and after, of every file and item of a task."""
    result = play.task(task, host)
    parts = [part for item in result.get("results", [result]) for part in item.get("diff", [])]
    return [(part.get("before"), part.get("after")) for part in parts]


def state(host):
    """What a run may change: files of /etc, packages, the processes of the engines."""
    return host.run(
        "find /etc /var/lib/prositronic -type f ! -path '*/apt/*' -exec sha256sum {} + | sort;"
        " dpkg-query --show; systemctl show docker containerd --property=MainPID,ActiveEnterTimestampMonotonic"
    ).stdout


def in_container(host, command):
    """Environment of a container."""
    return dict(line.split("=", 1) for line in host.run(f"{command} /bin/env", timeout=60).stdout.splitlines())


def installed(host):
    listed = host.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *(p.name for p in nvidia.toolkit(NEW))]
    )
    return dict(line.split() for line in listed.stdout.splitlines())


@pytest.fixture(scope="module")
def repository(module_lab):
    made = module_lab.apt_repository()
    made.publish(*nvidia.toolkit(OLD), *nvidia.toolkit(NEW))
    return made


@pytest.fixture(scope="module")
def hosts(module_lab):
    """A host of each suite with a GPU, engines, a daemon.json of its administrator and a source that NVIDIA once told to add."""
    booted = module_lab.boot(*(machine(suite, suite) for suite in SUITES))
    for host in booted:
        nvidia.install_driver(host)
        host.write(DAEMON_JSON, HAND_MADE)
        host.write(
            "/etc/apt/sources.list.d/libnvidia-container.list",
            "deb https://nvidia.github.io/libnvidia-container/stable/deb/amd64 /\n",
        )
        host.run(f"systemctl restart docker; {IMAGE.format('docker')}; {IMAGE.format('podman')}", timeout=120)
    return booted


@pytest.fixture(scope="module")
def originals(hosts):
    """The main file of each host's containerd as Debian has it."""
    return {host.name: host.read(MAIN) for host in hosts}


@pytest.fixture
def play(module_lab, repository, hosts):
    """Run the role on all hosts; words are variables without the role's name."""

    def run(*where, check_mode=False, must_pass=True, **variables):
        return module_lab.play(
            role_on(*(where or hosts)),
            variables=settings(repository, **variables),
            check_mode=check_mode,
            must_pass=must_pass,
        )

    return run


def test_install_does_what_check_mode_said(module_lab, repository, hosts, originals):
    """By the playbook's name, as a user with sudo."""
    before = [state(host) for host in hosts]
    options = {"variables": settings(repository, engines=NAMED), "user": "operator"}
    predicted = module_lab.play(PLAYBOOK, check_mode=True, **options)
    assert [state(host) for host in hosts] == before
    done = module_lab.play(PLAYBOOK, arguments=["--diff"], **options)
    for host in hosts:
        said = {task for name, task in changed(predicted) if name == host.name}
        did = {task for name, task in changed(done) if name == host.name}
        assert did - said == WITH_THE_PACKAGES
        assert said - did == {"Say what would be installed"}
        for task in ("Write the package source", "Write the configuration of the engines"):
            assert diff(predicted, task, host) == diff(done, task, host) != []
        assert installed(host) == dict.fromkeys(installed(host), NEW)
        assert len(installed(host)) == 4
        assert host.run("ls /etc/apt/sources.list.d/*nvidia*").stdout == (
            "/etc/apt/sources.list.d/nvidia-container-toolkit.sources\n"
        )
        assert "Devices: nvidia.com/gpu=0" in str(done.task("Say what works now", host)["msg"])


def test_what_the_administrator_wrote_is_kept(hosts):
    for host in hosts:
        config = json.loads(host.read(DAEMON_JSON))
        assert {key: config[key] for key in ("log-opts", "log-driver")} == json.loads(HAND_MADE)
        assert "default-runtime" not in config
        assert host.read(DAEMON_JSON).startswith('{\n    "log-opts"')
        assert "max-size" not in host.journal()  # neither may passwords end up there


def test_a_second_run_changes_nothing(play, hosts):
    before = [state(host) for host in hosts]
    assert changed(play(engines=NAMED)) == set()
    assert [state(host) for host in hosts] == before


@pytest.mark.parametrize("suite", SUITES)
def test_docker_starts_a_container_with_the_runtime(module_lab, hosts, suite):
    host = module_lab.hosts[suite]
    run = "docker run --rm --network=none"
    assert in_container(host, f"{run} --runtime=nvidia tiny")["STAND_IN_RUNTIME"] == "nvidia"
    assert "STAND_IN_RUNTIME" not in in_container(host, f"{run} tiny")


@pytest.mark.parametrize("suite", SUITES[1:])  # docker 20.10 of Debian 12 knows no CDI
def test_docker_starts_a_container_with_a_device(module_lab, hosts, suite):
    run = "docker run --rm --network=none --device=nvidia.com/gpu=all tiny"
    assert in_container(module_lab.hosts[suite], run)["STAND_IN_GPU"] == nvidia.GPU


@pytest.mark.parametrize("suite", SUITES)
def test_podman_starts_a_container_with_a_device(module_lab, hosts, suite):
    run = f"podman run --rm --network=none --cgroups=disabled --device=nvidia.com/gpu={nvidia.GPU} tiny"
    assert in_container(module_lab.hosts[suite], run)["STAND_IN_GPU"] == nvidia.GPU


def test_devices_follow_when_a_card_is_cut_into_slices(play, hosts):
    before = [host.run("systemctl show docker --property=MainPID").stdout for host in hosts]
    for host in hosts:
        nvidia.cut(host, nvidia.SLICES)
    done = play()
    assert {task for _host, task in changed(done)} == {
        "See whether the devices are those of the driver",
        "Regenerate the CDI specification by its service",
    }
    for host in hosts:
        listed = host.run("nvidia-ctk cdi list").stdout
        assert all(part in listed for part in nvidia.SLICES)
        assert nvidia.GPU not in listed
        run = f"podman run --rm --network=none --cgroups=disabled --device=nvidia.com/gpu={nvidia.SLICES[1]} tiny"
        assert in_container(host, run)["STAND_IN_GPU"] == nvidia.SLICES[1]
    assert [host.run("systemctl show docker --property=MainPID").stdout for host in hosts] == before


def uses_the_runtime(host, original):
    """What containerd says of itself, and what its main file became."""
    dump = tomllib.loads(host.run("containerd config dump").stdout)["plugins"]
    section = dump.get("io.containerd.cri.v1.runtime") or dump["io.containerd.grpc.v1.cri"]
    runtime = section["containerd"]["runtimes"]["nvidia"]
    assert runtime["options"]["BinaryName"] == "/usr/bin/nvidia-container-runtime"
    # Debian's own settings hold as before
    assert "/usr/lib/cni" in str(section["cni"])
    assert section["cni"]["conf_dir"] == "/etc/cni/net.d"
    assert section.get("enable_cdi", host.name == "bookworm") is True
    assert set(host.read(MAIN).splitlines()) - set(original.splitlines()) == {
        'imports = ["/etc/containerd/conf.d/*.toml"]  # for the NVIDIA container toolkit'
    }
    assert host.run("systemctl is-active containerd docker").stdout == "active\nactive\n"


def test_containerd_is_configured_when_it_is_named(play, module_lab, originals):
    for suite in ("bookworm", "forky"):
        uses_the_runtime(module_lab.hosts[suite], originals[suite])
    host = module_lab.hosts["trixie"]
    assert host.read(MAIN) == originals["trixie"]
    reloads = host.journal().count("Reloading")
    assert changed(play(host, engines=["containerd"])) == {
        ("trixie", "Write the configuration of the engines"),
        ("trixie", "Restart containerd"),
    }
    uses_the_runtime(host, originals["trixie"])
    assert host.journal().count("Reloading") == reloads  # no daemon-reload


def test_a_file_that_is_not_valid_is_refused_and_the_service_stays_up(play, module_lab):
    host = module_lab.hosts["trixie"]
    files = {MAIN: "version = 2\n[plugins\n", DAEMON_JSON: '{"runtimes": {\n'}
    good = {path: host.read(path) for path in files}
    before = state(host)
    for path, text in files.items():
        host.write(path, text)
    done = play(host, engines=["containerd", "docker"], must_pass=False)
    assert not done.passed
    assert f"{MAIN} is not valid TOML and was left as it is" in done.output
    assert f"{DAEMON_JSON} is not valid JSON (line 2, column 1) and was left as it is" in done.output
    assert {path: host.read(path) for path in files} == files
    assert host.run("systemctl is-active containerd docker").stdout == "active\nactive\n"
    for path, text in good.items():
        host.write(path, text)
    assert state(host) == before


def test_what_the_engine_itself_would_refuse_is_not_written(play, module_lab):
    """dockerd takes no option twice; here the administrator's file has one that dockerd does not know at all."""
    host = module_lab.hosts["forky"]
    good = host.read(DAEMON_JSON)
    host.write(DAEMON_JSON, '{"no-such-option": true}\n')
    done = play(host, must_pass=False)
    assert f"dockerd refuses what {DAEMON_JSON} would become, so nothing was changed" in done.output
    assert host.read(DAEMON_JSON) == '{"no-such-option": true}\n'
    host.write(DAEMON_JSON, good)


def test_an_engine_that_does_not_start_gets_its_old_configuration_back(play, module_lab):
    host = module_lab.hosts["trixie"]
    before = host.read(DAEMON_JSON)
    block = "/etc/systemd/system/docker.service.d/block.conf"
    host.write(block, "[Service]\nExecStartPre=/bin/sh -c '! grep -q default-runtime /etc/docker/daemon.json'\n")
    host.run("systemctl daemon-reload")
    done = play(host, default_runtime={"docker": True}, must_pass=False)
    assert not done.passed
    assert (
        "docker.service did not start with its new configuration and runs with the old one, which was put back"
        in done.output
    )
    assert host.read(DAEMON_JSON) == before
    assert host.run("systemctl is-active docker").stdout == "active\n"
    host.run(f"rm {block}; systemctl daemon-reload")


def test_restarts_can_wait(play, module_lab):
    host = module_lab.hosts["trixie"]
    pid = host.run("systemctl show docker --property=MainPID").stdout
    done = play(host, default_runtime={"docker": True}, restart=False)
    assert "These do not use it until they are restarted: docker" in str(done.task("Say what works now")["msg"])
    assert host.run("systemctl show docker --property=MainPID").stdout == pid
    done = play(host, default_runtime={"docker": True})
    assert changed(done) == {(host.name, "Write the configuration of the engines"), (host.name, "Restart docker")}
    assert in_container(host, "docker run --rm --network=none tiny")["STAND_IN_RUNTIME"] == "nvidia"


def test_a_run_that_dies_before_the_restart_is_finished_by_the_next(module_lab, repository, play):
    host = module_lab.hosts["trixie"]
    wanted = {"default_runtime": {"docker": False}}
    pid = host.run("systemctl show docker --property=MainPID").stdout
    running = module_lab.start_play(role_on(host), variables=settings(repository, **wanted))
    host.wait_for("test -e /var/lib/prositronic/nvidia_container_toolkit/docker/journal.json", timeout=120)
    running.kill()
    assert host.run("systemctl show docker --property=MainPID").stdout == pid
    assert "STAND_IN_RUNTIME" in in_container(host, "docker run --rm --network=none tiny")
    assert (host.name, "Restart docker") in changed(play(host, **wanted))
    assert "STAND_IN_RUNTIME" not in in_container(host, "docker run --rm --network=none tiny")
    assert changed(play(host, **wanted)) == set()


def test_a_downgrade_is_refused_unless_it_is_allowed(play, hosts):
    done = play(hosts[0], version="1.19.1", must_pass=False)
    assert not done.passed
    assert done.changed == 0
    assert f"{NEW}, which is newer than nvidia_container_toolkit_version 1.19.1: ask for the newer one" in done.output
    play(version="1.19.1", allow_downgrade=True, hold=True)
    for host in hosts:
        assert set(installed(host).values()) == {OLD}
        assert host.run("apt-mark showhold").stdout.count("nvidia-container") == 4


def test_an_upgrade_passes_a_hold_and_lets_it_go(play, hosts):
    play()
    for host in hosts:
        assert set(installed(host).values()) == {NEW}
        assert host.run("apt-mark showhold").stdout == ""


def test_uninstall_takes_everything_back(play, hosts):
    everything = {"state": "absent", "engines": ["containerd", "docker", "podman"]}
    predicted = play(check_mode=True, **everything)
    done = play(**everything)
    assert changed(done) == changed(predicted)
    for host in hosts:
        assert host.run("find /etc /usr/bin /var/run/cdi -name '*nvidia*' ! -name nvidia-smi").stdout == ""
        assert "nvidia" not in host.read(DAEMON_JSON) + host.read(MAIN)
        assert "nvidia" not in host.run("docker info --format '{{json .Runtimes}}'").stdout
        assert "dpkg" not in host.run("dpkg-query --show 'nvidia-container*' 2>/dev/null || true").stdout
        assert host.run("systemctl is-active containerd docker").stdout == "active\nactive\n"
    config = json.loads(hosts[0].read(DAEMON_JSON))
    assert config == json.loads(HAND_MADE)
    assert changed(play(**everything)) == set()
