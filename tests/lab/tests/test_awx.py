# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWX project against hosts that really boot, through AWX's real data plane: ansible-runner on the control node, receptor
between it and an execution node, which has ansible-core of Debian and reaches the hosts by ssh.

AWX itself is not there: what it puts into the private data folder is written by hand.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab.gguf_models import write_random_llama
from lab.host import Machine
from lab.paths import CHECKOUT

pytestmark = pytest.mark.long

ALL_NODES = (
    "ansible-core",
    "python3-click",
    "python3-daemon",
    "python3-dateutil",
    "python3-pexpect",
    "python3-pydantic",
    "receptor",
)
PYTHON = "/usr/lib/python3/dist-packages"
RUNNER = str(Path(sys.executable).with_name("ansible-runner"))


def receptor(name, *lines):
    """A node's settings; work is submitted to its control service."""
    own = [f"- node: {{id: {name}}}", "- control-service: {service: control, filename: /run/receptor.sock}"]
    return "\n".join(["---", *own, *lines, ""])


@pytest.fixture(scope="module")
def nodes(module_lab):
    """A control node and an execution node of one mesh."""
    control, execution = module_lab.boot(
        *(Machine(name, "trixie", packages=ALL_NODES) for name in ("control", "execution"))
    )
    for name in ("ansible_runner", "receptorctl"):  # which Debian does not have
        package = Path(importlib.util.find_spec(name).origin).parent
        for place in (package, *package.parent.glob(f"{name}-*.dist-info")):
            for host in (control, execution):
                host.push(place, f"{PYTHON}/{place.name}")
    execution.run("python3 -m ansible_runner --version")
    collection = "/usr/share/ansible/collections/ansible_collections/prositronic/infra"
    execution.run(f"mkdir -p {collection}")
    for part in ("galaxy.yml", "meta", "playbooks", "plugins", "roles"):
        execution.push(CHECKOUT / part, f"{collection}/{part}")
    command = "- work-command: {worktype: ansible-runner, command: python3, params: '-m ansible_runner worker'}"
    control.write("/etc/receptor.conf", receptor("control", "- tcp-listener: {port: 27199}"))
    peer = f"- tcp-peer: {{address: '{control.address}:27199'}}"
    execution.write("/etc/receptor.conf", receptor("execution", peer, command))
    for host in (control, execution):
        host.run("systemd-run --unit=mesh --setenv=HOME=/root receptor --config /etc/receptor.conf")
    return control, execution


@pytest.fixture(scope="module")
def hosts(module_lab, nodes):
    return module_lab.boot(*(Machine(name, "forky", packages=("llama.cpp-tools",)) for name in ("one", "two")))


@pytest.fixture
def private_data(module_lab, hosts, tmp_path):
    """A function that makes the private data folder of a job, with the answers of a survey."""

    def make(answers):
        folder = tmp_path / f"job{len(list(tmp_path.iterdir()))}"
        for name in ("env", "inventory"):
            (folder / name).mkdir(parents=True)
        shutil.copytree(CHECKOUT / "awx", folder / "project")
        reached = {
            "ansible_user": "operator",
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        }
        described = {host.name: {"ansible_host": host.address, **reached} for host in hosts}
        (folder / "inventory" / "hosts.json").write_text(json.dumps({"all": {"hosts": described}}), encoding="utf-8")
        (folder / "env" / "extravars").write_text(json.dumps(answers), encoding="utf-8")
        (folder / "env" / "ssh_key").write_text(module_lab.private_key.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "env" / "envvars").write_text(json.dumps({"ANSIBLE_PIPELINING": "1"}), encoding="utf-8")
        return folder

    return make


def runner(*words, given=b""):
    done = subprocess.run([RUNNER, *map(str, words)], input=given, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout


def test_a_job_serves_a_model_across_the_mesh(module_lab, nodes, hosts, private_data, tmp_path):
    control, _execution = nodes
    model = write_random_llama(tmp_path / "chat.gguf")
    url = module_lab.file_server().publish("/chat.gguf", model)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    entry = {
        "name": "chat",
        "source": {"files": [{"url": url, "sha256": digest}]},
        "context": 512,
        "parallel": 1,
        "reserve": {"ram_bytes": 0},
    }
    answers = {
        "answer_target_hosts": "",
        "answer_model": "",
        "answer_quant": [],
        "answer_models": json.dumps([entry]),
        "answer_rollout": "",
        "answer_container_toolkit": "no",
        "credential_api_keys_name": "chat",
        "credential_api_keys": "sk-lab-0123456789abcdef\n",
        "gguf_model_reserve_bytes": 0,
    }

    def across(folder):
        control.write("/root/sent", runner("transmit", folder, "-p", "deploy.yml"))
        control.wait_for(f"{submit} status | grep -q execution")
        control.run(
            f"{submit} work submit ansible-runner --node execution --payload /root/sent --rm --follow > /root/returned",
            timeout=300,
        )
        runner("process", folder, given=control.read("/root/returned").encode())
        events = [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("job_events/*.json")]
        (end,) = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
        assert not end["failures"] and not end["dark"]
        return end

    submit = "python3 -m receptorctl --socket /run/receptor.sock"
    done = across(private_data(answers))
    (line,) = done["artifact_data"]["inference_summary"]
    assert (line["name"], line["placement"], line["hosts"]) == ("chat", "host", 2)
    for host in hosts:
        ask = "curl --silent -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/props"
        assert host.run(ask).stdout == "401"
        assert host.run(f"{ask} -H 'Authorization: Bearer sk-lab-0123456789abcdef'").stdout == "200"
    # Once more: nothing changes
    assert not across(private_data(answers))["changed"]
