# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances in containers: real podman by a quadlet and real docker, with an image that is made of Debian's llama-server."""

from __future__ import annotations

import pytest
from lab import instances
from lab.gguf_models import write_random_llama
from lab.instances import Instance

pytestmark = pytest.mark.long

MODEL = "/srv/models/random.gguf"
IMAGE = "localhost/llama:1"
KEY = "sk-lab-0123456789abcdef"
# The program, its libraries and its backends, and nothing else
MAKE_IMAGE = f"""
backends=$(ls /usr/lib/*/ggml/backends0/libggml-cpu-*)
mkdir -p /srv/image/lib64
ldd /usr/bin/llama-server $backends | grep -o '^[[:space:]].* => /[^ ]*' | grep -o '/.*' | sort -u > /srv/libraries
cp -L --parents -t /srv/image /usr/bin/llama-server $backends $(cat /srv/libraries)
cp -L /lib64/ld-linux-x86-64.so.2 /srv/image/lib64/
tar -C /srv/image -cf /srv/image.tar .
for engine in podman docker; do
    $engine import --change 'ENTRYPOINT ["/usr/bin/llama-server"]' /srv/image.tar {IMAGE}
done
"""


@pytest.fixture(scope="module")
def host(module_lab, tmp_path_factory):
    host = module_lab.host(
        "box",
        "forky",
        packages=("llama.cpp-tools", "docker.io", "docker-cli", "podman", "crun"),
        volumes=("/var/lib/docker", "/var/lib/containers"),
    )
    # Hosts of the lab have no controllers in their cgroups
    host.write("/etc/containers/containers.conf", "[containers]\npids_limit = 0\n")
    host.run(MAKE_IMAGE)
    folder = tmp_path_factory.mktemp("models")
    write_random_llama(folder / "random.gguf")
    broken = (folder / "random.gguf").read_bytes().replace(b"blk.1.attn_q.weight", b"blk.1.attn_x.weight")
    (folder / "broken.gguf").write_bytes(broken)
    host.push(folder, "/srv/models")
    host.run("chmod -R a+rX /srv/models")
    return host


@pytest.fixture(scope="module")
def serve(module_lab, host):
    (small, large), facts = instances.plans(module_lab, MODEL, [{"context": 512}, {"context": 1024}])

    def run(plan="small", *, play=None, **more):
        variables = {
            "llama_server_plan": {"small": small, "large": large}[plan],
            "llama_server_host": facts,
            "llama_server_name": "chat",
            "llama_server_model": MODEL,
            "llama_server_image": IMAGE,
            "llama_server_restart_seconds": 1,
            **more,
        }
        return module_lab.play(instances.SERVE, variables=variables, **(play or {}))

    return run


@pytest.fixture(scope="module")
def chat(host):
    return Instance(host)


@pytest.mark.parametrize("runtime", ["podman", "docker"])
def test_a_container_serves_and_what_fails_does_not_stop_it(serve, host, chat, runtime):
    options = {"llama_server_runtime": runtime, "llama_server_api_keys": [KEY]}
    serve(**options)
    assert chat.complete(key=KEY)["model"] == "chat"
    assert chat.ask("/v1/models")[0] == 401
    running = host.run([runtime, "inspect", "llama-server-chat"]).stdout
    assert KEY not in running
    assert f'"{KEY}"' not in host.journal(since_boot=False)
    assert serve(**options).changed_tasks == []
    # A change, and a model that does not load: a trial says so before the present container is stopped
    serve("large", **options)
    assert chat.ask("/props", key=KEY)[1].count('"n_ctx":1024') > 0
    with chat.asked_all_the_time() as statuses:
        failed = serve("large", llama_server_model="/srv/models/broken.gguf", play={"must_pass": False}, **options)
    assert "a trial start of the new setting failed" in failed.output
    assert "blk.1.attn_q.weight" in failed.output
    assert set(statuses) == {"200"}
    # What only the start itself shows is taken back
    failed = serve(
        "large",
        llama_server_trial=False,
        llama_server_model="/srv/models/broken.gguf",
        play={"must_pass": False},
        **options,
    )
    assert "what served before serves again" in failed.output
    assert chat.complete(key=KEY)


def test_the_container_comes_back_when_it_is_killed(host, chat):
    host.run(["docker", "kill", "llama-server-chat"])
    host.wait_for(lambda: chat.health == 200, 60)
    assert chat.complete(key=KEY)


def test_from_a_container_to_the_host_and_back_to_nothing(serve, host, chat, module_lab):
    quadlet = "/etc/containers/systemd/llama-server-chat.container"
    serve(llama_server_runtime="podman")
    image = host.run(["podman", "image", "inspect", "--format", "{{.Id}}", IMAGE]).stdout.strip()
    assert f"Image={image}" in host.read(quadlet).splitlines()
    assert host.run("test -e /etc/systemd/system/llama-server-chat.service", must_pass=False).exit_code != 0
    serve(llama_server_binary="/usr/bin/llama-server")
    assert host.run(f"test -e {quadlet}", must_pass=False).exit_code != 0
    assert chat.argv[0] == "/usr/bin/llama-server"
    assert chat.complete()
    serve(llama_server_runtime="podman")
    module_lab.play(instances.REMOVE, variables={"llama_server_name": "chat"})
    left = "find /etc /var/lib/prositronic /var/cache -name '*llama-server*'; podman ps -aq; docker ps -aq; pgrep llama-server"
    assert host.run(left, must_pass=False).stdout == ""
