# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two models behind one address with TLS and a key, by llama-server's own router, watched by Debian's Prometheus."""

from __future__ import annotations

import json
import re
import shlex
from urllib.parse import quote

import pytest
from lab import instances
from lab.gguf_models import write_random_llama
from lab.host import Machine
from lab.instances import Instance
from lab.paths import CHECKOUT

pytestmark = pytest.mark.long

KEY = "sk-lab-0123456789abcdef"
PORT = 8443
DASHBOARD = CHECKOUT / "roles" / "llama_server_monitoring" / "files" / "llama-server.json"
PROMETHEUS = """
global: {scrape_interval: 1s}
scrape_config_files: [/etc/prometheus/prositronic/llama-server.yml]
"""
WATCH = """
- hosts: watch
  gather_facts: false
  roles:
    - prositronic.infra.llama_server_monitoring
"""


@pytest.fixture(scope="module")
def hosts(module_lab, tmp_path_factory):
    """`gpu` serves and `watch` has Prometheus."""
    gpu, watch = module_lab.boot(
        Machine("gpu", "forky", packages=instances.ENGINE, disk_bytes=1 << 30),
        Machine("watch", "trixie", packages=("prometheus",), disk_bytes=1 << 30),
    )
    folder = tmp_path_factory.mktemp("models")
    write_random_llama(folder / "chat.gguf")
    write_random_llama(folder / "code.gguf", seed=2)
    broken = (folder / "code.gguf").read_bytes().replace(b"blk.1.attn_q.weight", b"blk.1.attn_x.weight")
    (folder / "broken.gguf").write_bytes(broken)
    gpu.push(folder, "/srv/models")
    gpu.run("chmod -R a+rX /srv/models")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gpu"
    gpu.run(
        f"mkdir -m 700 /etc/tls; {make} -addext subjectAltName=IP:{gpu.address} -keyout /etc/tls/key -out /etc/tls/crt"
    )
    return gpu, watch


@pytest.fixture(scope="module")
def serve(module_lab, hosts):
    play = instances.PLAN.replace("hosts: all", "hosts: gpu")
    wishes = [{"context": 512, "name": "chat"}, {"context": 256, "name": "code"}]
    made, facts = instances.plans(module_lab, "/srv/models/chat.gguf", wishes, play=play)

    def run(*, play=None, second=None, **more):
        models = [
            {"name": name, "plan": plan, "model": f"/srv/models/{name}.gguf"}
            for name, plan in zip(("chat", "code"), made, strict=True)
        ]
        models[1].update(second or {})
        variables = {
            "llama_server_models": models,
            "llama_server_host": facts,
            "llama_server_name": "models",
            "llama_server_binary": "/usr/bin/llama-server",
            "llama_server_address": "0.0.0.0",
            "llama_server_port": PORT,
            "llama_server_tls": {"certificate": "/etc/tls/crt", "key": "/etc/tls/key"},
            "llama_server_api_keys": [KEY],
            "llama_server_options": {"metrics": True},
            **more,
        }
        return module_lab.play(instances.SERVE.replace("hosts: all", "hosts: gpu"), variables=variables, **(play or {}))

    return run


@pytest.fixture(scope="module")
def router(hosts):
    return Instance(hosts[0], "models", PORT, "https")


def test_two_models_behind_one_address(serve, hosts, router):
    serve()
    for name, context in (("chat", 512), ("code", 256)):
        assert router.complete(key=KEY, model=name)["model"] == name
        properties = json.loads(router.ask(f"/props?model={name}", key=KEY)[1])
        assert properties["default_generation_settings"]["n_ctx"] == context
    assert router.ask("/v1/models")[0] == 401
    assert router.exposure <= 2.0
    # What the certificate says is what a client checks it by, and its key is for root only
    url = f"https://{hosts[0].address}:{PORT}/health"
    assert hosts[0].run(["curl", "--silent", "--fail", "--cacert", "/etc/tls/crt", url]).exit_code == 0
    assert hosts[0].run(["stat", "--format=%a", "/etc/tls/key"]).stdout.strip() == "600"
    assert serve().changed_tasks == []


def test_an_option_that_would_end_the_router_is_refused_before(serve, router):
    before = router.pid
    failed = serve(second={"options": {"no_mmap": True}}, play={"must_pass": False})
    assert "option 'no_mmap' is not in llama.cpp 0.7.0 any more; use load_mode: none" in failed.output
    assert router.pid == before


def test_a_model_that_does_not_load_brings_all_back(serve, router):
    failed = serve(second={"model": "/srv/models/broken.gguf"}, play={"must_pass": False})
    assert "has not loaded code" in failed.output
    assert "blk.1.attn_q.weight" in failed.output
    assert "what served before serves again" in failed.output
    router.host.wait_for(lambda: router.ask("/props?model=code", key=KEY)[0] == 200, 60)
    assert router.complete(key=KEY, model="code")["model"] == "code"


def test_prometheus_has_every_figure_of_the_dashboard(module_lab, hosts, router):
    gpu, watch = hosts
    watch.write("/etc/prometheus/prometheus.yml", PROMETHEUS)
    watch.write("/etc/prometheus/ca.crt", gpu.read("/etc/tls/crt"))
    target = {"name": "gpu-models", "address": f"{gpu.address}:{PORT}", "key": KEY, "models": ["chat", "code"]}
    variables = {
        "llama_server_monitoring_targets": [target | {"tls": True, "ca_file": "/etc/prometheus/ca.crt"}],
        "llama_server_monitoring_dashboard_folder": "/srv",
    }
    play = module_lab.play(WATCH, variables=variables)
    assert KEY not in play.output
    assert module_lab.play(WATCH, variables=variables).changed_tasks == []
    assert watch.run("promtool check config /etc/prometheus/prometheus.yml").exit_code == 0
    assert KEY not in watch.read("/etc/prometheus/prositronic/llama-server.yml")

    def query(expression):
        url = f"http://127.0.0.1:9090/api/v1/query?query={quote(expression)}"
        answer = json.loads(watch.run(f"curl --silent {shlex.quote(url)}").stdout)
        assert answer["status"] == "success", (expression, answer)
        return {each["metric"]["model"]: float(each["value"][1]) for each in answer["data"]["result"]}

    watch.wait_for(lambda: query('up{job="llama-server"}') == {"chat": 1.0, "code": 1.0}, 60, "both models are up")
    for name in ("chat", "code"):
        router.complete(key=KEY, model=name)
    dashboard = json.loads(watch.read("/srv/llama-server.json"))
    assert dashboard == json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    for expression in expressions:
        asked = re.sub(r"\$(server|model)", ".*", expression).replace("$__rate_interval", "2m")
        # A rate needs a scrape before what it counts and one after
        watch.wait_for(lambda asked=asked: query(asked).keys() == {"chat", "code"}, 60, asked)
