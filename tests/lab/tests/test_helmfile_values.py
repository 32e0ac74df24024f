# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers of the chart without a cluster: a plan's values rendered by helmfile, and their commands run on a host with
the real llama-server, as the pod's user and with as little as the pod may do.

The hub is a stand-in; folders of the host are the pod's volumes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from lab.gguf_models import write_random_llama

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.plugins.module_utils import gguf
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.tests.helm.command import Helm, of_kind
from ansible_collections.prositronic.infra.tests.helm.programs import programs

pytestmark = pytest.mark.long

USER = 10001
# What the pod's security context says, in systemd's words
CONFINED = [
    "--uid=pod",
    *(
        f"--property={setting}"
        for setting in (
            "CapabilityBoundingSet=",
            "NoNewPrivileges=yes",
            "PrivateTmp=yes",
            "ProtectSystem=strict",
            "SystemCallFilter=@system-service",
        )
    ),
]
KEY = "sk-lab-0123456789abcdef"


@pytest.fixture(scope="module")
def host(module_lab):
    made = module_lab.host("pod", "forky", packages=("llama.cpp-tools",))
    made.run(f"useradd --uid {USER} pod")
    made.run(
        f"mkdir -p /app /models /scripts /secrets/auth && ln -s /usr/bin/llama-server /app/ && chown {USER} /models"
    )
    return made


@pytest.fixture(scope="module")
def rendered(module_lab, host, tmp_path_factory):
    """Objects of the release, for a model that a hub has."""
    folder = tmp_path_factory.mktemp("release")
    model = write_random_llama(folder / "tiny-F32.gguf")
    hub = module_lab.model_hub()
    hub.add("maker/tiny-GGUF", {model.name: model})
    machine = {"gpus": [], "memory": {"total_bytes": 8 << 30}, "cpu": {"physical_cores": 1, "threads": 1}}
    plan = answers.model_fit(machine, model=gguf.read(str(model)).value(), context=512, parallel=1, name="tiny")
    assert plan["placement"] == "host"
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    files = [{"name": model.name, "sha256": digest}]
    values = folder / "values.yaml"
    values.write_text(answers.helmfile_values(plan, repository="maker/tiny-GGUF", files=files), encoding="utf-8")
    override = folder / "override.yaml"
    override.write_text(
        json.dumps({"llamaServer": {"model": {"endpoint": hub.url}, "auth": {"existingSecret": "keys"}}}),
        encoding="utf-8",
    )
    found = Helm(programs(), folder).template(values, override)
    for name, text in of_kind(found, "ConfigMap")["data"].items():
        host.write(f"/scripts/{name}", text)
    host.write("/secrets/auth/api-keys", f"{KEY}\n", mode=0o644)
    return found


def command(container, *options, **variables):
    """A container as a confined unit of the host."""
    given = {entry["name"]: entry["value"].replace("$$", "$") for entry in container["env"]} | variables
    words = [word.replace("$$", "$") for word in [*container["command"], *container.get("args", [])]]
    return ["systemd-run", "--quiet", *CONFINED, *options, *(f"--setenv={n}={v}" for n, v in given.items()), *words]


def test_the_chart_brings_a_model_serves_it_and_completes(host, rendered):
    spec = of_kind(rendered, "Deployment")["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsUser"] == USER
    (fetch,), (server,) = spec["initContainers"], spec["containers"]
    wait = ("--pipe", "--wait")
    host.run(command(fetch, *wait, "--property=ReadWritePaths=/models"), timeout=60)
    host.run(command(server, "--unit=llama-pod"))
    host.wait_for("curl --silent --fail http://127.0.0.1:8080/health", timeout=30)
    (test,) = of_kind(rendered, "Pod")["spec"]["containers"]
    answer = host.run(command(test, *wait, SERVICE_URL="http://127.0.0.1:8080"), timeout=60).stdout
    assert json.loads(answer)["model"] == "tiny"
    # The arguments of the plan are what the server took
    properties = host.run(
        ["curl", "--silent", "--header", f"Authorization: Bearer {KEY}", "http://127.0.0.1:8080/props"]
    )
    assert json.loads(properties.stdout)["default_generation_settings"]["n_ctx"] == 512
    assert (
        "llamacpp:" in host.run(f"curl --silent -H 'Authorization: Bearer {KEY}' http://127.0.0.1:8080/metrics").stdout
    )
    assert host.run("curl --silent -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/props").stdout == "401"
