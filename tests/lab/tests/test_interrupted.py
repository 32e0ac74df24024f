# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are broken off: hosts out of reach, hosts that fail half way, a controller that dies. The rest goes on, the next run
finishes, and nothing is lost.

Three hosts that really boot serve a model; a hundred stand-ins for hosts (standins/connection_plugins/flaky.py) are planned for.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
from pathlib import Path

import pytest
from lab import standins
from lab.gguf_models import write_random_llama
from lab.host import Machine

pytestmark = pytest.mark.long

SERVE = "prositronic.infra.llama_server"
PLAN = "prositronic.infra.fit"


@pytest.fixture(scope="module")
def hosts(module_lab):
    machines = [
        Machine(name, "forky", packages=("llama.cpp-tools",), disk_bytes=1 << 29) for name in ("one", "two", "three")
    ]
    return module_lab.boot(*machines)


@pytest.fixture(scope="module")
def models(module_lab, tmp_path_factory):
    path = write_random_llama(tmp_path_factory.mktemp("models") / "chat.gguf")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    source = {"files": [{"url": module_lab.file_server().publish("/chat.gguf", path), "sha256": digest}]}
    return [{"name": "chat", "source": source, "context": 512, "parallel": 1, "reserve": {"ram_bytes": 0}}]


def serves(host):
    return host.run("curl --silent --fail http://127.0.0.1:8080/health", must_pass=False).exit_code == 0


def test_three_hosts_until_every_one_is_right(module_lab, hosts, models):
    variables = {"inference_models": models, "gguf_model_reserve_bytes": 0}
    one, two, three = hosts

    # The controller dies between plan and apply: nothing has changed anywhere
    running = module_lab.start_play(SERVE, variables=variables)
    while not any(
        "Plan all models of each host" in path.read_text() for path in module_lab.state.glob("tmp/play-*.events")
    ):
        assert running.is_running
        time.sleep(0.1)
    killed = running.kill()
    assert not [each for each in killed.results if each.changed and "llama_server" in each.task]
    assert not any(serves(host) for host in hosts)

    # One host is out of reach, one has no room: the third serves
    with three.network_cut(), two.disk_full("/"):
        done = module_lab.play(SERVE, variables=variables, must_pass=False)
    assert done.stats["three"]["unreachable"] and done.stats["two"]["failures"] and not done.stats["one"]["failures"]
    assert [serves(host) for host in hosts] == [True, False, False]

    # The next run finishes, and does not touch what is right
    pid = one.run("systemctl show llama-server-chat --property=MainPID").stdout
    done = module_lab.play(SERVE, variables=variables)
    assert all(serves(host) for host in hosts)
    assert one.run("systemctl show llama-server-chat --property=MainPID").stdout == pid
    assert not [each for each in done.changed_tasks if each.startswith("one: ")]


def test_a_hundred_hosts_that_fail_at_random_until_every_one_is_right(module_lab, tmp_path):
    """With a cache of facts, as AWX has one: what was once learnt is kept, and how old it is is said."""
    names = [f"gpu{number:03}" for number in range(100)]
    inventory = tmp_path / "hosts.json"
    local = {"ansible_connection": "flaky", "ansible_python_interpreter": "/usr/bin/python3"}
    inventory.write_text(json.dumps({"all": {"hosts": {name: {} for name in names}, "vars": local}}), encoding="utf-8")
    cache = tmp_path / "facts"
    environment = {
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache),
        "ANSIBLE_CONNECTION_PLUGINS": str(Path(standins.__path__[0]) / "connection_plugins"),
        "FLAKY_SHARE": "0.25",
    }
    variables = {
        "target_hosts": "gpu*",
        "inference_models": [{"name": "chat", "model": "qwen3-0.6b", "quant": "Q8_0", "context": 4096}],
    }

    def start():
        arguments = ["--inventory", str(inventory), "--forks", "10"]
        return module_lab.start_play(PLAN, variables=variables, arguments=arguments, environment=environment)

    def learnt():
        files = cache.iterdir() if cache.exists() else ()
        return {path.name.rpartition("_")[2] for path in files if "inference_host" in path.read_text(encoding="utf-8")}

    # The controller dies in the middle
    running = start()
    time.sleep(random.SystemRandom().uniform(4, 8))
    running.kill()
    known = learnt()
    for _run in range(12):
        done = start().wait()
        assert known <= learnt()  # what was known is not lost
        known = learnt()
        planned = done.task("Plan every model")
        assert set(planned["hosts"]) == known
        assert set(planned["missing"]) == set(names) - known
        assert sum(line["hosts"] for line in planned["summary"]) == len(known)
        if len(known) == len(names):
            break
    assert known == set(names)

    # Years later some are out of reach: they are planned for by what was known of them, and that is said
    for path in cache.iterdir():
        path.write_text(
            re.sub(r"(gathered_at\W+)\d{4}", r"\g<1>2020", path.read_text(encoding="utf-8")), encoding="utf-8"
        )
    done = start().wait()
    lost = {name for name, counts in done.stats.items() if counts["unreachable"]}
    planned = done.task("Plan every model")
    assert lost and set(planned["hosts"]) == set(names)
    told = {name for name in names if f"{name} is planned for by facts that are" in done.output}
    assert len(told) == min(10, len(lost)) and told <= lost
    assert len(lost) <= 10 or f"{len(lost) - 10} more hosts are planned for by facts older than an hour" in done.output
