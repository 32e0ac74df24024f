# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop on a host that boots, with Debian's llama.cpp: checked by llama-fit-params before, measured after, planned again."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

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


# After the server is served as PLAY says
LOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Facts
      prositronic.infra.gpu_facts:
    - name: Look
      prositronic.infra.llama_server_info:
        name: chat
      register: look
"""
KEY = "sk-lab-0123456789abcdef"
# Two devices of Mesa's software Vulkan, as somebody describes by hand what no probe finds
TWO_DEVICES = {
    "gpus": [
        {
            "index": index,
            "name": "llvmpipe",
            "vendor": "other",
            "memory_total_bytes": 8 << 30,
            "memory_free_bytes": 4 << 30,
        }
        for index in range(2)
    ],
    "memory": {"total_bytes": 16 << 30},
}


@pytest.fixture(scope="module")
def host(module_lab):
    packages = ("llama.cpp-tools", "llama.cpp-tools-extra", "libggml0-backend-vulkan", "mesa-vulkan-drivers")
    return module_lab.host("gpu", "forky", packages=packages, disk_bytes=1 << 29)


@pytest.fixture(scope="module")
def models(host, tmp_path_factory):
    """random.gguf, deeper.gguf, which has a layer more, and two quants of the first."""
    folder = tmp_path_factory.mktemp("models")
    write_random_llama(folder / "random.gguf", embedding=512)
    write_random_llama(folder / "deeper.gguf", embedding=512, layers=3)
    host.push(folder, "/srv/models")
    for quant in ("Q8_0", "Q4_0"):
        host.run(["llama-quantize", MODEL, f"/srv/models/{quant}.gguf", quant, "1"])
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


def test_a_running_server_is_described(serve, host, module_lab):
    serve(llama_server_options={"metrics": True, "verbosity": 4}, llama_server_api_keys=[KEY])
    body = json.dumps({"prompt": "a" * 100, "n_predict": 100, "ignore_eos": True})
    authorized = ["--header", f"Authorization: Bearer {KEY}"]
    host.run(["curl", "--silent", "--json", body, *authorized, f"http://127.0.0.1:{PORT}/completion"])
    before = main_pid(host)
    play = module_lab.play(LOOK, arguments=["-vvv"])
    look = play.task("Look")
    assert look["health"] == "ok"
    assert look["build"] == 11669
    assert look["model"]["path"] == MODEL
    assert [slot["n_ctx"] for slot in look["slots"]] == [1024, 1024]
    header = host.run(["stat", "--format=%s", MODEL]).stdout
    # the file less its header, which is some kilobytes
    assert int(header) - 20_000 < look["model"]["bytes"] < int(header)
    # llama.cpp prints MiB with two digits
    assert abs(look["host"]["weights_bytes"] - look["model"]["bytes"]) < 10_486
    assert (
        look["host"]["kv_bytes"] == 2 * 2 * 1024 * 2 * 256 * 2
    )  # slots, layers, cells, keys and values of 256, 2 bytes
    assert look["host"]["compute_bytes"] > 0
    assert look["devices"] == []
    assert 0 < look["load_seconds"] < 120
    assert look["rates"]["decode_tokens"] >= 100
    assert look["rates"]["decode_tokens_per_second"] > 0
    assert look["host_held_bytes"] > look["model"]["bytes"]
    assert look["problems"] == []
    assert KEY not in play.output
    assert main_pid(host) == before


def test_what_does_not_run_is_no_error(host, module_lab):
    assert module_lab.play(LOOK.replace("name: chat", "name: nobody")).task("Look")["running"] is False


def wish(quant, **more):
    return {
        "name": quant.lower().replace("_", "-"),
        "source": {"path": f"/srv/models/{quant}.gguf"},
        "context": 512,
        "parallel": 1,
        "reserve": {"ram_bytes": 0, "vram_bytes_per_gpu": 0},
        **more,
    }


@pytest.fixture
def benchmark(module_lab, models, tmp_path):
    def run(wishes, **variables):
        given = {
            "inference_models": wishes,
            "benchmark_output": str(tmp_path),
            "benchmark_prompt_tokens": 32,
            "benchmark_generated_tokens": 8,
            "benchmark_repetitions": 2,
            "gguf_model_reserve_bytes": 0,
        }
        play = module_lab.play("prositronic.infra.benchmark", variables={**given, **variables})
        return play, json.loads((tmp_path / "results.json").read_text())["entries"]

    return run


def test_two_quants_are_measured_and_kept_for_the_next_plan(benchmark, host, module_lab, tmp_path):
    _play, entries = benchmark([wish("Q8_0"), wish("Q4_0")], benchmark_depths=[0, 128])
    assert [entry["run"]["model"]["quant"] for entry in entries] == ["Q4_0", "Q8_0"]
    # 34 bytes for 32 values against 18, but for norms, which stay F32
    small, large = (entry["run"]["model"]["bytes"] for entry in entries)
    assert 0.5 < small / large < 0.6
    for entry in entries:
        assert [rate["depth"] for rate in entry["run"]["rates"]] == [0, 128]
        assert {(figure["what"], figure["where"]) for figure in entry["figures"]} >= {
            ("prompt", "at 0 tokens"),
            ("generation", "at 0 tokens"),
            ("in all", "host"),
        }
    picture = ET.parse(tmp_path / "picture.svg").getroot()
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert any("Q8_0 on host" in text for text in texts)
    assert sum("tokens/s, planned" in text for text in texts) == 4
    assert "of plan" in (tmp_path / "table.txt").read_text()
    measured = module_lab.play(LOOK).task("Facts")["ansible_facts"]["inference_host"]["measured"]
    assert [run["model"]["quant"] for run in measured["runs"]] == ["Q8_0", "Q4_0"]
    assert measured["runs"] == [entry["run"] for entry in reversed(entries)]


def test_software_vulkan_devices_are_measured(benchmark, tmp_path):
    _play, [entry] = benchmark(
        [wish("Q8_0", name="split", allow={"host": False})],
        inference_host=TWO_DEVICES,
        benchmark_environment={"GGML_VK_VISIBLE_DEVICES": "0,0"},
    )
    assert entry["placement"] == "gpu"
    assert entry["run"]["launch"]["device"][0] == "Vulkan0"
    assert entry["run"]["rates"][0]["decode_tokens_per_second"] > 0


def test_what_serves_is_not_disturbed_unless_asked_for(benchmark, serve, host, module_lab):
    serving = wish("Q8_0", name="chat")
    with pytest.raises(Exception, match="chat serves on gpu and holds the memory"):
        benchmark([serving])
    before = main_pid(host)
    benchmark([serving], benchmark_stop=True)
    assert main_pid(host) not in ("0", before)
    assert json.loads(get(host, "/health")) == {"status": "ok"}
