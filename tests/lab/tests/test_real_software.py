# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real software on the lab's hosts: what the roles' tests build on."""

from __future__ import annotations

import json

import pytest
from lab.gguf_models import write_random_llama

UNIT = """[Service]
ExecStart=/usr/bin/llama-server --model /srv/models/random.gguf --host 0.0.0.0 --port 8080 --threads 1 --ctx-size 512
DynamicUser=yes
"""


@pytest.fixture
def model(tmp_path):
    return write_random_llama(tmp_path / "random.gguf")


def test_the_same_arguments_make_the_same_model(model, tmp_path):
    again = write_random_llama(tmp_path / "again.gguf")
    other = write_random_llama(tmp_path / "other.gguf", seed=2)
    assert again.read_bytes() == model.read_bytes()
    assert other.read_bytes() != model.read_bytes()
    assert model.stat().st_size < 1_000_000


def test_llama_server_answers_under_systemd_also_after_a_reboot(lab, model):
    host = lab.host("inference", "forky", packages=["llama.cpp-tools"])
    host.push(model, "/srv/models/random.gguf")
    host.write("/etc/systemd/system/answering.service", UNIT + "[Install]\nWantedBy=multi-user.target\n")
    host.run("systemctl daemon-reload; systemctl enable --now answering.service")
    url = f"http://{host.address}:8080"

    def answers():
        return lab.get(f"{url}/health")[0] == 200

    host.wait_for_port(8080)
    host.wait_for(answers, what="/health")
    asked = json.dumps({"prompt": "Hello", "n_predict": 8, "temperature": 0})
    done = host.run(["curl", "--silent", "--fail", "--data", asked, f"{url}/completion"])
    assert json.loads(done.stdout)["tokens_predicted"] == 8
    host.reboot()
    host.wait_for_port(8080)
    host.wait_for(answers, what="/health after the reboot")


def test_docker_starts_a_container(lab):
    host = lab.host(
        "docker", "trixie", packages=["busybox-static", "docker-cli", "docker.io"], volumes=["/var/lib/docker"]
    )
    host.run("systemctl is-active docker")
    host.run(
        "mkdir -p /tmp/root/bin; cp /bin/busybox /tmp/root/bin/; tar -C /tmp/root -c . | docker import - tiny",
        timeout=60,
    )
    done = host.run("docker run --rm --network none tiny /bin/busybox echo from a container", timeout=60)
    assert done.stdout == "from a container\n"
