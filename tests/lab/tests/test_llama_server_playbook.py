# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook llama_server on two hosts: models from a mirror to answers, a second run, a rollout that stops."""

from __future__ import annotations

import hashlib

import pytest
from lab import instances
from lab.gguf_models import write_random_llama
from lab.host import Machine
from lab.instances import Instance

PLAYBOOK = "prositronic.infra.llama_server"
KEY = "sk-lab-0123456789abcdef"


@pytest.fixture(scope="module")
def hosts(module_lab):
    machines = [Machine(name, "forky", packages=instances.ENGINE, disk_bytes=1 << 29) for name in ("one", "two")]
    return module_lab.boot(*machines)


@pytest.fixture(scope="module")
def models(module_lab, tmp_path_factory):
    """Entries of inference_models whose files come from a mirror, those of the second in parts."""
    server = module_lab.file_server()
    folder = tmp_path_factory.mktemp("models")
    entries = []
    for number, name in enumerate(("chat", "code")):
        write_random_llama(folder / f"{name}.gguf", seed=number, name=f"Random {name}", tensors_per_file=8 * number)
        files = [
            {"url": server.publish(f"/{path.name}", path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in sorted(folder.glob(f"{name}*"))
        ]
        entries.append(
            {
                "name": name,
                "source": {"files": files},
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


def test_two_models_on_two_hosts_and_a_second_run(play, hosts, models):
    keys = {"code": [KEY]}
    first = play(models, inference_api_keys=keys)
    for host in hosts:
        chat, code = Instance(host), Instance(host, "code", 8081)
        assert chat.complete()["model"] == "chat"
        assert code.ask("/v1/models")[0] == 401
        assert code.complete(key=KEY)["model"] == "code"
        assert "-00001-of-00003.gguf" in code.unit
        assert f"{host.name}: chat at http://127.0.0.1:8080" in first.output
        assert "llamacpp:" in chat.ask("/metrics")[1]
    assert KEY not in first.output
    second = play(models, inference_api_keys=keys)
    assert second.changed_tasks == []
    for host in hosts:
        facts = second.task("Gather GPUs", host)["ansible_facts"]["inference_host"]
        assert [(each["name"], each["active"]) for each in facts["instances"]] == [("chat", True), ("code", True)]


def test_a_rollout_stops_at_the_first_host_that_fails(play, hosts, models):
    changed = [{**models[0], "server": {"options": {"metrics": True, "chat_template_file": "/nowhere"}}}, models[1]]
    failed = play(changed, must_pass=False, rollout=1, inference_api_keys={"code": [KEY]})
    assert not failed.passed
    assert failed.stats["one"]["failures"] == 1
    assert not [each for each in failed.results if each.host == "two" and "Put the instance into service" in each.task]
    for host in hosts:
        assert Instance(host).complete()["model"] == "chat"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"name": "chat"}, "Each entry of inference_models needs a model of the catalog or a source"),
        ({"name": "chat", "model": "qwen3-8b"}, "model 'qwen3-8b': say what it is quantised to, such as quant='Q4_K_M'"),
        ({"contxt": 512}, "contxt"),
        ({"mmproj": "/srv/none.gguf"}, "/srv/none.gguf cannot be read"),
        ({"server": {"option": {}}}, "server has option, and may have address, clients, environment, firewall, groups"),
    ],
)
def test_mistakes_are_said_in_a_sentence(play, hosts, models, entry, sentence):
    wish = entry if "name" in entry else {**models[0], **entry}
    failed = play([wish], must_pass=False)
    assert not failed.passed
    assert sentence in failed.output
    assert Instance(hosts[0]).health == 200


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"name": "chat-1"}, "The names in inference_models are chat-1, chat-2, chat-1"),
        ({"port": 8081}, "each of several a port of its own; replicas count theirs up"),
    ],
)
def test_mistakes_of_replicas_and_others_are_said_before_anything_is_done(play, models, other, sentence):
    failed = play([{**models[0], "replicas": 2}, {**models[1], **other}], must_pass=False)
    assert not failed.passed
    assert sentence in failed.output
    assert failed.changed_tasks == []


def test_a_key_of_no_model_is_a_mistake_and_not_a_model_without_a_key(play, hosts, models):
    failed = play(models, must_pass=False, inference_api_keys={"coed": [KEY]})
    assert "inference_api_keys has keys of coed, and the models are chat, code" in failed.output
    assert Instance(hosts[0], "code", 8081).ask("/v1/models")[0] == 401


def test_a_host_that_is_down_is_named_and_nothing_is_lost(play, hosts, models):
    with hosts[1].network_cut():
        failed = play(models, must_pass=False, inference_api_keys={"code": [KEY]})
    assert not failed.passed
    assert failed.stats["two"]["unreachable"] == 1
    assert Instance(hosts[0]).complete()
    assert Instance(hosts[1]).complete()


def test_replicas_share_a_file_and_a_key(play, hosts, models):
    entry = {**models[0], "name": "twin", "replicas": 2, "port": 8090}
    play([entry], target_hosts="one", inference_api_keys={"twin": [KEY]})
    twins = [Instance(hosts[0], f"twin-{number}", 8089 + number) for number in (1, 2)]
    for twin in twins:
        assert twin.complete(key=KEY)["model"] == twin.name
        assert twin.ask("/v1/models")[0] == 401
    assert len({twin.argv[twin.argv.index("--model") + 1] for twin in twins}) == 1
