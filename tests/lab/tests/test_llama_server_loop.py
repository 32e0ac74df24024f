# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop on a host that boots, with Debian's llama.cpp: checked by llama-fit-params before, measured after, planned again."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from lab.errors import CommandFailed
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


LOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Facts
      prositronic.infra.gpu_facts:
    - name: Look at chat
      prositronic.infra.llama_server_info:
        name: chat
    - name: Look at nobody
      prositronic.infra.llama_server_info:
        name: nobody
"""
# The wish of a benchmark once more, and one for another model
AGAIN = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Facts
      prositronic.infra.gpu_facts:
    - name: Header
      prositronic.infra.gguf_info:
        path: /srv/models/Q4_0.gguf
      register: same
    - name: Header
      prositronic.infra.gguf_info:
        path: /srv/models/deeper.gguf
      register: another
    - name: Plan the same
      prositronic.infra.model_fit: &plan
        model: "{{ same.gguf }}"
        context: 512
        parallel: 1
        reserve: {ram_bytes: 0}
    - name: Plan another
      prositronic.infra.model_fit:
        <<: *plan
        model: "{{ another.gguf }}"
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
    """random.gguf, two quants of it, deeper.gguf, which has a layer more, and tiny.gguf, for devices made of software."""
    folder = tmp_path_factory.mktemp("models")
    write_random_llama(folder / "random.gguf", embedding=512)
    write_random_llama(folder / "deeper.gguf", embedding=512, layers=3)
    write_random_llama(folder / "tiny.gguf")
    host.push(folder, "/srv/models")
    for quant in ("Q8_0", "Q4_0"):
        host.run(["llama-quantize", MODEL, f"/srv/models/{quant}.gguf", quant, "1"])
    host.run("chmod -R a+rX /srv/models")


@pytest.fixture
def serve(module_lab, models):
    def run(*, play=None, **variables):
        given = {
            "llama_server_model": MODEL,
            "llama_server_port": PORT,
            "llama_server_binary": "/usr/bin/llama-server",
            "llama_server_options": {"metrics": True, "verbosity": 4},
            "llama_server_api_keys": [KEY],
        }
        return module_lab.play(PLAY, variables={**given, **variables}, **(play or {}))

    return run


def get(host, path):
    return host.run(["curl", "--silent", "--max-time", "20", f"http://127.0.0.1:{PORT}{path}"]).stdout


def main_pid(host):
    return host.run(["systemctl", "show", "--value", "--property=MainPID", "llama-server-chat.service"]).stdout.strip()


def test_the_engine_agrees_before_the_start_and_the_server_is_described_after(serve, host, module_lab):
    told = serve().task("Hold the plan against the engine")
    assert told["checked"] is True
    assert told["problems"] == []
    device, *figures = told["table"][-1].split()
    assert device == "Host"
    # weights, cache and compute buffer: each is there, and both ways of counting say the same
    assert figures[:3] == figures[3:]
    assert all(int(figure) > 0 for figure in figures)

    body = json.dumps({"prompt": "a" * 100, "n_predict": 100, "ignore_eos": True})
    authorized = ["--header", f"Authorization: Bearer {KEY}"]
    host.run(["curl", "--silent", "--json", body, *authorized, f"http://127.0.0.1:{PORT}/completion"])
    before = main_pid(host)
    play = module_lab.play(LOOK, arguments=["-vvv"])
    look = play.task("Look at chat")
    assert look["health"] == "ok"
    assert look["build"] == 11669
    assert look["model"]["path"] == MODEL
    assert [slot["n_ctx"] for slot in look["slots"]] == [1024, 1024]
    header = int(host.run(["stat", "--format=%s", MODEL]).stdout)
    # the file less its header, which is some kilobytes
    assert header - 20_000 < look["model"]["bytes"] < header
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
    assert play.task("Look at nobody")["running"] is False

    # What the role saw when it had started the server is in the facts of the next plan
    [run] = play.task("Facts")["ansible_facts"]["inference_host"]["measured"]["runs"]
    assert (run["source"], run["instance"], run["engine"]["build"]) == ("llama-server", "chat", 11669)
    assert run["host"]["kv_bytes"] == look["host"]["kv_bytes"]


def test_a_difference_stops_the_play_with_the_old_service_answering(serve, host):
    before = main_pid(host)
    play = serve(llama_server_model="/srv/models/deeper.gguf", planned_model=MODEL, play={"must_pass": False})
    assert not play.passed
    assert "Host: the model takes" in play.output
    assert "llama-fit-params" in play.output
    assert "Nothing was changed." in play.output
    assert main_pid(host) == before
    assert json.loads(get(host, "/health")) == {"status": "ok"}


def wish(name, file, **more):
    return {
        "name": name,
        "source": {"path": f"/srv/models/{file}"},
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
            "benchmark_prompt_tokens": 16,
            "benchmark_generated_tokens": 4,
            "benchmark_repetitions": 1,
            "gguf_model_reserve_bytes": 0,
        }
        return module_lab.play("prositronic.infra.benchmark", variables={**given, **variables})

    return run


def test_what_serves_is_not_disturbed_by_a_benchmark(benchmark, host):
    before = main_pid(host)
    with pytest.raises(CommandFailed, match="chat serves another plan on gpu"):
        benchmark([wish("chat", "Q8_0.gguf")])
    assert main_pid(host) == before


def test_two_quants_are_measured_and_kept_for_the_next_plan(benchmark, host, module_lab, tmp_path):
    before = main_pid(host)
    benchmark([wish("chat", "Q8_0.gguf"), wish("small", "Q4_0.gguf")], benchmark_depths=[0, 128], benchmark_stop=True)
    # what served was stopped for it, and started again
    assert main_pid(host) not in ("0", before)
    host.wait_for(lambda: get(host, "/health") == '{"status":"ok"}', 60)

    entries = json.loads((tmp_path / "results.json").read_text())["entries"]
    assert [entry["run"]["model"]["quant"] for entry in entries] == ["Q8_0", "Q4_0"]
    # 34 bytes for 32 values against 18, but for norms, which stay F32
    large, small = (entry["run"]["model"]["bytes"] for entry in entries)
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
    again = module_lab.play(AGAIN)
    measured = again.task("Facts")["ansible_facts"]["inference_host"]["measured"]
    assert measured["runs"][-2:] == [entry["run"] for entry in entries]

    # The same wish is planned with what was measured, another model by the rules
    speed = again.task("Plan the same")["plan"]["speed"]
    rate = entries[1]["run"]["rates"][0]["decode_tokens_per_second"]
    assert speed["basis"] == "measured"
    assert speed["decode_tokens_per_second"]["expected"] == float(f"{rate:.3g}")
    assert again.task("Plan another")["plan"]["speed"]["basis"] != "measured"


def test_devices_of_software_vulkan_are_measured(benchmark, tmp_path):
    benchmark(
        [wish("split", "tiny.gguf", allow={"host": False})],
        inference_host=TWO_DEVICES,
        benchmark_environment={"GGML_VK_VISIBLE_DEVICES": "0,0"},
        # longer prompts need other shaders, and compiling each of them takes seconds
        benchmark_prompt_tokens=4,
        benchmark_generated_tokens=2,
    )
    [entry] = json.loads((tmp_path / "results.json").read_text())["entries"]
    assert entry["placement"] == "gpu"
    assert entry["run"]["launch"]["device"][0] == "Vulkan0"
    assert entry["run"]["rates"][0]["decode_tokens_per_second"] > 0
