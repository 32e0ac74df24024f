# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook llama_server on two hosts: models from a mirror to answers, a second run, a rollout that stops."""

from __future__ import annotations

import hashlib
import json

import pytest
from lab.gguf_models import write_random_llama
from lab.host import Machine

PLAYBOOK = "prositronic.infra.llama_server"
KEY = "sk-lab-0123456789abcdef"


@pytest.fixture(scope="module")
def hosts(module_lab):
    machines = [Machine(name, "forky", packages=("llama.cpp-tools",), disk_bytes=1 << 29) for name in ("one", "two")]
    return module_lab.boot(*machines)


@pytest.fixture(scope="module")
def models(module_lab, tmp_path_factory):
    """Entries of inference_models whose files come from a mirror."""
    server = module_lab.file_server()
    folder = tmp_path_factory.mktemp("models")
    entries = []
    for number, name in enumerate(("chat", "code")):
        path = write_random_llama(folder / f"{name}.gguf", seed=number, name=f"Random {name}")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entries.append(
            {
                "name": name,
                "source": {"files": [{"url": server.publish(f"/{name}.gguf", path), "sha256": digest}]},
                "context": 512,
                "parallel": 1,
                "port": 8080 + number,
                "reserve": {"ram_bytes": 0},
                "server": {"options": {"metrics": True}},
            }
        )
    return entries


@pytest.fixture
def play(module_lab, hosts):
    def run(models, *, must_pass=True, **variables):
        given = {"inference_models": models, "gguf_model_reserve_bytes": 0, **variables}
        return module_lab.play(PLAYBOOK, variables=given, must_pass=must_pass)

    return run


def ask(host, port, key=None, name="chat"):
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, "model": name})
    words = ["curl", "--silent", "--json", body, "--header", f"Authorization: Bearer {key}"]
    return json.loads(host.run([*words, f"http://127.0.0.1:{port}/v1/chat/completions"]).stdout)


def test_two_models_on_two_hosts_and_a_second_run(play, hosts, models):
    keys = {"code": [KEY]}
    first = play(models, inference_api_keys=keys)
    for host in hosts:
        assert ask(host, 8080)["model"] == "chat"
        assert ask(host, 8081)["error"]["code"] == 401
        assert ask(host, 8081, KEY)["model"] == "code"
        assert f"{host.name}: chat at http://127.0.0.1:8080" in first.output
        assert "llamacpp:" in host.run(["curl", "--silent", "http://127.0.0.1:8080/metrics"]).stdout
    assert KEY not in first.output
    assert play(models, inference_api_keys=keys).changed_tasks == []


def test_a_rollout_stops_at_the_first_host_that_fails(play, hosts, models):
    changed = [{**models[0], "server": {"options": {"metrics": True, "chat_template_file": "/nowhere"}}}, models[1]]
    failed = play(changed, must_pass=False, rollout=1, inference_api_keys={"code": [KEY]})
    assert not failed.passed
    assert failed.stats["one"]["failures"] == 1
    assert not [each for each in failed.results if each.host == "two" and "Put the instance into service" in each.task]
    for host in hosts:
        assert ask(host, 8080)["model"] == "chat"


def test_mistakes_are_said_in_a_sentence(module_lab, hosts, models):
    play = module_lab.play(
        PLAYBOOK, variables={"inference_models": [{"name": "chat", "model": "qwen3-8b"}]}, must_pass=False
    )
    assert "Each entry of inference_models needs a source" in play.output
