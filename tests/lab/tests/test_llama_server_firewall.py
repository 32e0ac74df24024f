# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role llama_server opens a port in real firewalls and closes it; what others allowed stays."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.long

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Firewall
      ansible.builtin.include_role:
        name: prositronic.infra.llama_server
        tasks_from: firewall.yml
        rolespec_validate: false
"""
SHOW = {"ufw": "ufw show added | grep '^ufw'", "firewalld": "firewall-cmd --list-rich-rules | sort"}
RULES = {
    "ufw": ["ufw allow 22/tcp", "ufw allow from 10.0.0.0/8 to any port 8080 proto tcp", "ufw allow 8081/tcp"],
    "firewalld": [
        'rule port port="22" protocol="tcp" accept',
        'rule family="ipv4" source address="10.0.0.0/8" port port="8080" protocol="tcp" accept',
        'rule port port="8081" protocol="tcp" accept',
    ],
}


@pytest.fixture(scope="module")
def host(module_lab):
    host = module_lab.host("wall", packages=("ufw", "firewalld"))
    host.run("systemctl start firewalld")
    host.wait_for("firewall-cmd --state")
    return host


@pytest.mark.parametrize("firewall", ["ufw", "firewalld"])
def test_ports_are_opened_and_closed(module_lab, host, firewall):
    def run(name, state, port, clients):
        """Return how many rules were made or taken away."""
        variables = {"llama_server_firewall": firewall, "llama_server_state": state, "llama_server_port": port}
        play = module_lab.play(
            PLAY, variables={**variables, "llama_server_name": name, "llama_server_clients": clients}
        )
        return len([task for task in play.changed_tasks if "Let clients through" in task])

    def rules():
        return host.run(SHOW[firewall], must_pass=False).stdout.splitlines()

    host.run(
        {"ufw": "ufw allow 22/tcp", "firewalld": f"firewall-cmd --add-rich-rule='{RULES['firewalld'][0]}'"}[firewall]
    )
    assert run("one", "present", 8080, ["10.0.0.0/8"]) == 1
    assert run("two", "present", 8081, []) == 1
    assert sorted(rules()) == sorted(RULES[firewall])
    assert run("one", "present", 8080, ["10.0.0.0/8"]) == 0
    assert run("two", "present", 8081, []) == 0
    # What the first leaves behind is closed; what it had is the second's now, and stays when the first goes
    assert run("one", "present", 8082, []) >= 2
    assert run("two", "present", 8080, ["10.0.0.0/8"]) >= 2
    assert run("one", "present", 8080, ["10.0.0.0/8"]) >= 1
    assert sorted(rules()) == sorted(RULES[firewall][:2])
    assert run("one", "absent", 8080, ["10.0.0.0/8"]) == 0
    assert sorted(rules()) == sorted(RULES[firewall][:2])
    assert run("two", "absent", 8080, ["10.0.0.0/8"]) == 1
    assert rules() == RULES[firewall][:1]
    assert run("two", "absent", 8080, ["10.0.0.0/8"]) == 0
