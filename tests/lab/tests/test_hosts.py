# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts boot, answer Ansible, reboot, lose their network and their disk space, and keep out of each other's way."""

from __future__ import annotations

import pytest
from lab import cgroups
from lab.errors import CommandFailed, LabError
from lab.host import Machine
from lab.image import SUITES
from lab.laboratory import Lab

PING = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Ping
      ansible.builtin.ping:
"""


@pytest.fixture(scope="module")
def hosts(module_lab):
    """One host of every suite."""
    return module_lab.boot(*(Machine(suite, suite) for suite in SUITES))


def test_three_suites_boot_and_ansible_reaches_them_by_ssh(module_lab, hosts):
    play = module_lab.play("""
- hosts: all
  tasks:
    - name: Who
      ansible.builtin.debug:
        msg: "{{ ansible_facts['distribution_release'] }} {{ ansible_facts['service_mgr'] }} {{ ansible_facts['hostname'] }}"
""")
    for host in hosts:
        assert play.task("Who", host)["msg"] == f"{host.machine.suite} systemd {host.name}"
        assert host.run("systemctl is-system-running").stdout == "running\n"


def test_a_play_can_log_in_as_a_user_and_become_root(module_lab, hosts):
    play = module_lab.play(
        "- hosts: all\n  gather_facts: false\n  become: true\n  tasks:\n    - name: Who\n      ansible.builtin.command: id -un\n",
        user="operator",
    )
    assert [play.task("Who", host)["stdout"] for host in hosts] == ["root"] * 3


def test_each_suite_tells_its_facts_to_who_may_do_nothing(module_lab, hosts):
    """Three versions of Python and systemd, a login without rights, and no facts gathered before."""
    play = module_lab.play(
        """
- hosts: all
  gather_facts: false
  tasks:
    - name: Look
      prositronic.infra.gpu_facts:
        paths: [/]
    - name: Which Python
      ansible.builtin.command: python3 --version
""",
        user="operator",
    )
    for host in hosts:
        facts = play.task("Look", host)["ansible_facts"]["inference_host"]
        total = int(host.run("free --bytes").stdout.splitlines()[1].split()[1])
        assert (facts["gpus"], facts["name"]) == ([], host.name)
        assert facts["memory"]["total_bytes"] == total
        assert 0 < facts["memory"]["available_bytes"] <= total
        assert facts["cpu"]["threads"] == int(host.run("nproc --all").stdout)
        assert [(entry["path"], entry["free_bytes"] > 0) for entry in facts["storage"]] == [("/", True)]
    pythons = {play.task("Which Python", host)["stdout"] for host in hosts}
    assert len(pythons) == 3, f"the suites have {pythons}"


def test_hosts_know_each_other_by_name(hosts):
    old, new, newest = hosts
    for host in (old, new):
        host.run(["bash", "-c", f"exec 3<>/dev/tcp/{newest.name}/22; read -r line <&3; [[ $line == SSH-* ]]"])


def test_no_two_hosts_share_a_cgroup(module_lab, hosts):
    seen = {}
    for host in hosts:
        host.run("systemd-run --unit=lodger --property=Slice=system.slice sleep 600")
        folder = cgroups.unified() / cgroups.PARENT / module_lab.name / host.name
        processes = {
            int(line) for file in folder.rglob("cgroup.procs") for line in file.read_text(encoding="ascii").split()
        }
        lodgers = list(folder.rglob("lodger.service/cgroup.procs"))
        assert len(lodgers) == 1
        assert "sleep 600" in host.run("systemctl status lodger.service").stdout
        seen[host.name] = processes
        host.run("systemctl stop lodger.service")
    old, new, newest = seen.values()
    assert old and new and newest
    assert not (old & new or new & newest or old & newest)


def test_hosts_have_networks_of_their_own(hosts):
    addresses = [host.run("ip -4 -brief address show host0").stdout.split()[2] for host in hosts]
    assert addresses == [f"{host.address}/16" for host in hosts]


def test_an_address_outside_the_lab_is_refused_at_once(hosts):
    done = hosts[0].run(["curl", "--silent", "--show-error", "http://192.0.2.1/"], must_pass=False, timeout=20)
    assert done.exit_code == 7  # could not connect; 28 would be a time-out


def test_ansible_reboots_a_host(module_lab, hosts):
    host = hosts[1]
    before = host.boot_id()
    play = module_lab.play(
        """
- hosts: trixie
  gather_facts: false
  tasks:
    - name: Reboot
      ansible.builtin.reboot:
        reboot_timeout: 60
"""
    )
    assert play.task("Reboot")["rebooted"] is True
    assert host.boot_id() not in (None, before)


@pytest.mark.parametrize("suite", SUITES)
def test_a_reboot_keeps_the_disk_and_the_journal(module_lab, hosts, suite):
    host = module_lab.hosts[suite]
    host.write("/srv/kept", "kept\n")
    host.run("logger --tag=lab-test before the reboot")
    host.reboot()
    assert host.read("/srv/kept") == "kept\n"
    assert "before the reboot" in host.journal(since_boot=False)
    assert "before the reboot" not in host.journal()


def test_a_cut_host_is_unreachable_until_it_is_healed(module_lab, hosts):
    old, new, _ = hosts
    with old.network_cut():
        play = module_lab.play(PING, must_pass=False, arguments=["--timeout=3"])
        assert play.stats[old.name]["unreachable"] == 1
        assert play.stats[new.name]["ok"] == 1
        assert old.run("echo alive").stdout == "alive\n"
    assert module_lab.play(PING).stats[old.name]["ok"] == 1


def test_a_full_disk_refuses_writes_until_it_is_freed(hosts):
    host = hosts[2]
    before = host.free_bytes()
    with host.disk_full():
        done = host.run("dd if=/dev/zero of=/srv/more bs=64k count=64", must_pass=False)
        assert done.exit_code != 0
        assert "No space left on device" in done.stderr
    host.run("rm -f /srv/more; dd if=/dev/zero of=/srv/more bs=64k count=64; rm /srv/more")
    assert host.free_bytes() == pytest.approx(before, rel=0.01)


def test_a_disk_can_keep_some_room(hosts):
    with hosts[2].disk_full(leave_bytes=8 << 20):
        assert 7 << 20 < hosts[2].free_bytes() < 9 << 20


def test_a_command_that_fails_says_what_it_printed(hosts):
    with pytest.raises(CommandFailed, match="exit code 3:\nsorry"):
        hosts[0].run("echo sorry >&2; exit 3")


def test_files_go_to_a_host_and_come_back(hosts, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("pushed", encoding="ascii")
    (tmp_path / "deep" / "file").chmod(0o750)
    hosts[0].push(tmp_path, "/opt/pushed")
    assert hosts[0].read("/opt/pushed/deep/file") == "pushed"
    assert hosts[0].run("stat -c '%a %U' /opt/pushed/deep/file").stdout == "750 root\n"
    hosts[0].write("/opt/made/new", "text", mode=0o600)
    assert hosts[0].run("stat -c %a /opt/made/new; cat /opt/made/new").stdout == "600\ntext"


def test_a_reset_host_is_as_on_its_first_day(module_lab):
    host = module_lab.host("fickle")
    host.write("/srv/early", "early")
    host.take_snapshot("early")
    host.write("/srv/late", "late")
    host.reset("early")
    assert host.run("ls /srv").stdout == "early\n"
    host.reset()
    assert host.run("ls /srv").stdout == ""
    module_lab.remove(host)
    assert "fickle" not in module_lab.hosts


def test_a_host_survives_losing_power(module_lab):
    host = module_lab.host("unlucky")
    host.write("/srv/kept", "kept")
    host.power_cycle()
    assert host.read("/srv/kept") == "kept"
    assert module_lab.play(PING).stats["unlucky"]["ok"] == 1


def test_a_volume_is_a_plain_folder(module_lab):
    host = module_lab.host("plain", volumes=["/var/lib/docker"])
    assert host.run("stat -f -c %T / /var/lib/docker").stdout == "overlayfs\next2/ext3\n"


def test_a_shared_folder_is_read_only(module_lab, tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    host = module_lab.host("borrower", shared=(("/srv/models", str(tmp_path)),))
    assert host.read("/srv/models/model.gguf") == "GGUF"
    assert host.run("touch /srv/models/x", must_pass=False).exit_code != 0


@pytest.mark.without_lab
@pytest.mark.parametrize("name", ["", "Web", "web_1", "-web", "web.example", "a" * 33, "../x"])
def test_a_bad_host_name_is_refused(name):
    with pytest.raises(LabError, match="is no host name"):
        Machine(name)


@pytest.mark.without_lab
def test_an_unknown_suite_is_refused():
    with pytest.raises(LabError, match="no suite 'sarge', it has bookworm, trixie, forky"):
        Machine("web", "sarge")


def test_two_labs_run_beside_each_other(lab, module_lab):
    assert isinstance(lab, Lab)
    mine, theirs = lab.host("same"), module_lab.host("same")
    assert mine.boot_id() != theirs.boot_id()
