# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter llama_server_router, as the role calls it."""

from __future__ import annotations

import configparser
import functools

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.tests.unit.templar import render

GIB = 1 << 30


def machine(gpus=2):
    known = {"vendor": "nvidia", "memory_total_bytes": 24 * GIB, "memory_free_bytes": 23 * GIB}
    return {
        "gpus": [
            {"index": i, "uuid": f"GPU-{i}", "compute_capability": "8.9", "name": "NVIDIA L4", **known}
            for i in range(gpus)
        ],
        "driver": {"vendor": "nvidia", "version": "610.43.02", "cuda_version": "13.3"},
        "memory": {"total_bytes": 64 * GIB},
    }


@functools.cache
def plans():
    wish = {"model": "qwen3-30b-a3b", "quant": "Q4_K_M", "context": 8192, "parallel": 1}
    made = answers.fleet_fit({"h": machine()}, models=[{"name": n, **wish} for n in ("chat", "code")], together=True)
    return [made["plans"][made["hosts"]["h"][name]] for name in ("chat", "code")]


def router(models=None, arguments="", host=None):
    given = models or [
        {"name": name, "plan": plan, "model": f"/srv/{name}.gguf"}
        for name, plan in zip(("chat", "code"), plans(), strict=True)
    ]
    call = f"host=host, name='all', port=8080{', ' if arguments else ''}{arguments}"
    return render(f"models | prositronic.infra.llama_server_router({call})", models=given, host=host or machine())


def preset(answer):
    (line,) = answer["texts"]
    name, text = line.split(":", 1)
    assert name == "models_preset"
    read = configparser.ConfigParser(interpolation=None)
    read.read_string("[top]\n" + text.encode().decode("unicode_escape"))
    return read


def test_each_model_is_a_section_with_its_own_gpu():
    answer = router()
    sections = preset(answer)
    assert sections.sections() == ["top", "chat", "code"]
    # Both plans say CUDA0, each of its own GPU
    assert [plan["launch"]["device"] for plan in plans()] == [["CUDA0"], ["CUDA0"]]
    assert {plan["memory"]["devices"][0]["index"] for plan in plans()} == {0, 1}
    for name, plan in zip(("chat", "code"), plans(), strict=True):
        assert sections[name]["device"] == f"CUDA{plan['memory']['devices'][0]['index']}"
        assert sections[name]["model"] == f"/srv/{name}.gguf"
        assert sections[name]["ctx-size"] == str(plan["launch"]["ctx_size"])
        assert sections[name]["fit"] == "off"
        assert sections[name]["load-on-startup"] == "true"
        assert "port" not in sections[name]
    assert "CUDA_VISIBLE_DEVICES=GPU-0,GPU-1" in answer["environment"]


def test_only_what_names_a_device_is_counted_anew():
    """The second plan's CUDA0 is the router's CUDA1, or the first's: one of them is renamed in each option."""
    changes = {
        "mmproj": "/srv/CUDA0/mm.gguf",
        "mmproj_device": "CUDA0",
        "override_tensor": ["CUDA0.weight=CUDA0", "b=CPU"],
    }
    changed = [plan | {"launch": plan["launch"] | changes} for plan in plans()]
    models = [
        {"name": name, "plan": plan, "model": "/srv/CUDA0/m.gguf"}
        for name, plan in zip(("chat", "code"), changed, strict=True)
    ]
    sections = preset(router(models))
    for name, plan in zip(("chat", "code"), changed, strict=True):
        device = f"CUDA{plan['memory']['devices'][0]['index']}"
        assert sections[name]["mmproj"] == "/srv/CUDA0/mm.gguf"
        assert sections[name]["model"] == "/srv/CUDA0/m.gguf"
        assert sections[name]["mmproj-device"] == device
        assert sections[name]["override-tensor"] == f"CUDA0.weight={device},b=CPU"


def test_the_router_has_the_address_and_the_models_the_rest():
    command = router(arguments="options={'metrics': true}, credentials={'api_key_file': '/etc/keys'}")["command"]
    assert sorted(command) == [
        "--api-key-file %d/api_key_file",
        "--host 127.0.0.1",
        "--metrics",
        "--models-max 2",
        "--models-preset %d/models_preset",
        "--port 8080",
    ]


def test_what_the_models_hold_is_added_up():
    record = router()["record"]
    assert record["gpu_memory_bytes"] == [
        {"uuid": f"GPU-{device['index']}", "bytes": device["total_bytes"]}
        for device in sorted((plan["memory"]["devices"][0] for plan in plans()), key=lambda each: each["index"])
    ]
    assert record["host_memory_bytes"] == sum(plan["memory"]["host"]["total_bytes"] for plan in plans())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "a]\n[b"}, "models\\[0\\]: a name is letters"),
        ({"name": "code"}, "the name 'code' is given twice"),
        ({"options": {"no_mmap": True}}, "not in llama.cpp 0.7.0 any more"),
        ({"options": {"chat_template": "a\nb"}}, "option 'chat-template' has a value that a preset cannot hold"),
        ({"options": {"chat_template": "a ; b"}}, "option 'chat-template' has a value that a preset cannot hold"),
        ({"options": {"ctx_size": 1}}, "'ctx_size' is decided by the plan"),
        ({"modell": "x"}, "models\\[0\\]: give name, plan and model"),
    ],
)
def test_refusals(change, error):
    models = [
        {"name": "chat", "plan": plans()[0], "model": "/a.gguf"},
        {"name": "code", "plan": plans()[1], "model": "/b"},
    ]
    models[0].update(change)
    with pytest.raises(AnsibleError, match=error):
        router(models)
