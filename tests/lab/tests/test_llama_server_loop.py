# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop on a host that boots, with Debian's llama.cpp: checked by llama-fit-params before, measured after, planned again."""

from __future__ import annotations

import json

import pytest
from lab.gguf_models import write_random_llama

MODEL = "/srv/models/random.gguf"
PORT = 8080
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Facts
      prositronic.infra.gpu_facts:
    - name: Header
      prositronic.infra.gguf_info:
        path: "{{ planned_model | default(llama_server_model) }}"
      register: header
    - name: Plan
      prositronic.infra.model_fit:
        model: "{{ header.gguf }}"
        name: chat
        context: "{{ context | default(1024) }}"
        parallel: 2
        reserve: {ram_bytes: 0}
      register: fit
    - name: Serve
      ansible.builtin.include_role:
        name: prositronic.infra.llama_server
      vars:
        llama_server_plan: "{{ fit.plan | combine({'launch': fit.plan.launch | combine({'threads': 1})}) }}"
"""


@pytest.fixture(scope="module")
def host(module_lab):
    return module_lab.host("gpu", "forky", packages=("llama.cpp-tools", "llama.cpp-tools-extra"), disk_bytes=1 << 29)


@pytest.fixture(scope="module")
def models(host, tmp_path_factory):
    """random.gguf, and deeper.gguf, which has a layer more."""
    folder = tmp_path_factory.mktemp("models")
    write_random_llama(folder / "random.gguf", embedding=512)
    write_random_llama(folder / "deeper.gguf", embedding=512, layers=3)
    host.push(folder, "/srv/models")
    host.run("chmod -R a+rX /srv/models")


@pytest.fixture
def serve(module_lab, models):
    def run(*, play=None, **variables):
        given = {"llama_server_model": MODEL, "llama_server_port": PORT, "llama_server_binary": "/usr/bin/llama-server"}
        return module_lab.play(PLAY, variables={**given, **variables}, **(play or {}))

    return run


def get(host, path):
    return host.run(["curl", "--silent", "--max-time", "20", f"http://127.0.0.1:{PORT}{path}"]).stdout


def main_pid(host):
    return host.run(["systemctl", "show", "--value", "--property=MainPID", "llama-server-chat.service"]).stdout.strip()


def test_the_engine_agrees_before_the_start(serve, host):
    told = serve().task("Hold the plan against the engine")
    assert told["checked"] is True
    assert told["problems"] == []
    device, *figures = told["table"][-1].split()
    assert device == "Host"
    # weights, cache and compute buffer: each is there, and both ways of counting say the same
    assert figures[:3] == figures[3:]
    assert all(int(figure) > 0 for figure in figures)
    assert json.loads(get(host, "/health")) == {"status": "ok"}


def test_what_serves_is_not_checked_again(serve):
    assert serve().changed_tasks == []


def test_a_difference_stops_the_play_with_the_old_service_answering(serve, host):
    before = main_pid(host)
    play = serve(llama_server_model="/srv/models/deeper.gguf", planned_model=MODEL, play={"must_pass": False})
    assert not play.passed
    assert "Host: the model takes" in play.output
    assert "llama-fit-params" in play.output
    assert "Nothing was changed." in play.output
    assert main_pid(host) == before
    assert json.loads(get(host, "/props"))["model_path"] == MODEL


def test_memory_that_the_plan_does_not_count_stops_the_play(serve, host):
    before = main_pid(host)
    # keys of 32 bits instead of 16: half as much again for the whole cache of 4 MiB
    play = serve(llama_server_options={"cache_type_k": "f32"}, play={"must_pass": False})
    assert "Host: the context takes 4 MiB by the plan and 6 MiB by llama.cpp" in play.output
    assert main_pid(host) == before
