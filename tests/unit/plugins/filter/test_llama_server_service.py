# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter llama_server_service, as the role calls it."""

from __future__ import annotations

import functools

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.tests.unit.templar import render

GIB = 1 << 30


def gpu(index, vendor="nvidia", **more):
    known = {"memory_total_bytes": 48 * GIB, "memory_free_bytes": 47 * GIB, "compute_capability": "8.9"}
    return {"index": index, "uuid": f"GPU-{index}{index}{index}{index}", "vendor": vendor, **known, **more}


def machine(*gpus):
    driver = {"vendor": "nvidia", "version": "610.43.02", "cuda_version": "13.3"}
    return {"gpus": list(gpus), "driver": driver, "memory": {"total_bytes": 64 * GIB}}


@functools.cache
def plan(model="qwen3-8b", gpus=1):
    return answers.model_fit(machine(*map(gpu, range(gpus))), model=model, quant="Q4_K_M", name="chat", port=8081)


@functools.cache
def shared_plan(model="qwen3-8b", gpus=1):
    """The plan of a fleet of such machines."""
    wish = {"name": "chat", "model": model, "quant": "Q4_K_M"}
    return answers.fleet_fit({"some-host": machine(*map(gpu, range(gpus)))}, models=[wish])["plans"][0]


def service(arguments="", planned=None, host=None, **variables):
    given = {"plan": planned or plan(), "host": host or machine(gpu(0)), **variables}
    call = f"host=host, name='chat', model='/srv/m.gguf', port=8080{', ' if arguments else ''}{arguments}"
    return render(f"plan | prositronic.infra.llama_server_service({call})", **given)


def test_a_plan_for_a_gpu():
    answer = service()
    for line in (
        "--model /srv/m.gguf",
        "--host 127.0.0.1",
        "--port 8080",
        "--alias chat",
        "--fit off",
        "--device CUDA0",
    ):
        assert line in answer["command"]
    assert answer["environment"] == ["CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=GPU-0000"]
    assert answer["uses_gpu"] is True
    assert answer["addresses"] == ["localhost"]
    assert answer["record"]["gpu_memory_bytes"] == [
        {"uuid": "GPU-0000", "bytes": plan()["memory"]["devices"][0]["total_bytes"]}
    ]
    assert answer["record"]["request_id"] == plan()["request_id"]
    assert answer["record"]["model_id"] == plan()["model"]["id"]
    assert answer["record"]["quant"] == plan()["quant"]["name"]


def test_each_host_has_its_own_gpus_for_one_plan():
    # MIG slices have the index of their card: the place in the list counts
    host = machine(
        gpu(0, uuid="MIG-a", mig={"parent_uuid": "GPU-x"}), gpu(0, uuid="MIG-b", mig={"parent_uuid": "GPU-x"})
    )
    planned = shared_plan("llama-3.3-70b-instruct", gpus=2)
    assert [device["index"] for device in planned["memory"]["devices"]] == [0, 1]
    assert service(planned=planned, host=host)["environment"][1] == "CUDA_VISIBLE_DEVICES=MIG-a,MIG-b"


def test_a_trial_takes_nothing_from_the_present_instance():
    two = plan("llama-3.3-70b-instruct", gpus=2)
    lines = service(planned=two, host=machine(gpu(0), gpu(1)))["trial_command"]
    assert "--device none" in lines
    assert "--load-mode mmap" in lines
    assert "--host /run/llama-server-chat-trial/socket.sock" in lines
    assert not [line for line in lines if line.startswith(("--port", "--tensor-split"))]


def test_larger_models_have_longer_to_start():
    assert service()["start_timeout_seconds"] == 120 + plan()["model"]["bytes"] // 50_000_000


@pytest.mark.parametrize(
    ("vendor", "driver", "environment"),
    [
        ("amd", "amd", ["ROCR_VISIBLE_DEVICES=GPU-0000"]),
        ("other", None, ["GGML_VK_VISIBLE_DEVICES=0"]),
        ("intel", "intel", ["ONEAPI_DEVICE_SELECTOR=level_zero:0"]),
    ],
)
def test_other_vendors(vendor, driver, environment):
    host = machine(gpu(0, vendor=vendor, compute_capability=None)) | {"driver": driver and {"vendor": driver}}
    planned = answers.model_fit(host, model="qwen3-8b", quant="Q4_K_M")
    answer = service(planned=planned, host=host)
    assert answer["environment"] == environment
    assert answer["user_groups"] == ["render", "video"]


def test_the_address_says_who_may_come():
    assert service("address='0.0.0.0'")["addresses"] == []
    assert service("address='0.0.0.0', clients=['10.0.0.7/8']")["addresses"] == ["localhost", "10.0.0.0/8"]


def test_more_environment_stays_in_its_place():
    answer = service("environment=more", more={"B": 'x" %n\nUser=root', "A": 1})
    assert answer["environment"][2:] == ["A=1", '"B=x\\" %%n\\nUser=root"']


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "LLAMA_API_KEY",
        "OPENAI_APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "SSH_PASSPHRASE",
        "DB_PASSWORD",
        "DB_PASSWORD_2",
        "DB_PWD",
        "HF_PASS",
        "BASIC_AUTH",
        "SIGNING_KEY",
        "dbPassword",
    ],
)
def test_no_secret_is_in_the_environment(name):
    with pytest.raises(AnsibleError, match=f"environment: {name} looks like a secret") as refused:
        service("environment=more", more={name: "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("value", ["https://me:hunter2@host/x", "http://hunter2@host", "me:hunter2@proxy:3128"])
def test_no_address_in_the_environment_has_a_password(value):
    with pytest.raises(AnsibleError, match="environment: HTTPS_PROXY has a user in its address") as refused:
        service("environment=more", more={"HTTPS_PROXY": value})
    assert "hunter2" not in str(refused.value)


def test_what_only_resembles_a_secret_stays():
    more = {
        "GGML_CUDA_KEY_CACHE": "1",
        "HTTPS_PROXY": "http://proxy:3128/a@b",
        "MAX_TOKENS": 1,
        "TOKENIZERS_PARALLELISM": "false",
    }
    assert service("environment=more", more=more)["environment"][2:] == [f"{n}={v}" for n, v in more.items()]


def test_secrets_are_handed_on_as_credentials():
    answer = service("credentials={'api_key_file': '/etc/keys', 'ssl_key_file': '/etc/ssl/100%.pem'}")
    assert answer["credentials"] == ["api_key_file:/etc/keys", '"ssl_key_file:/etc/ssl/100%%.pem"']
    assert "--api-key-file %d/api_key_file" in answer["command"]
    assert not [line for line in answer["trial_command"] if "key" in line]


def test_a_container_sees_the_model_its_gpus_and_nothing_else():
    answer = service("mounts=['/srv/$x'], environment={'A': '1 $B'}, credentials={'api_key_file': '/etc/keys'}")
    for line in (
        "--network host",
        "--read-only",
        "--cap-drop ALL",
        "--volume /srv:/srv:ro",
        '--volume "/srv/$$x:/srv/$$x:ro"',
        "--device nvidia.com/gpu=GPU-0000",
        "--env CUDA_VISIBLE_DEVICES=GPU-0000",
        '--env "A=1 $$B"',
    ):
        assert line in answer["container_options"]
    assert "--volume /etc/keys:/run/llama-server/api_key_file:ro" in answer["container_own_options"]
    assert "--api-key-file /run/llama-server/api_key_file" in answer["command"]
    amd = machine(gpu(0, vendor="amd", compute_capability=None)) | {"driver": {"vendor": "amd"}}
    planned = answers.model_fit(amd, model="qwen3-8b", quant="Q4_K_M")
    options = service("mounts=[]", planned=planned, host=amd)["container_options"]
    assert [line for line in options if "--device" in line] == ["--device /dev/kfd", "--device /dev/dri"]


@pytest.mark.parametrize(
    ("arguments", "changes", "error"),
    [
        ("options={'ctx_size': 1}", {}, "options: 'ctx_size' is decided by the plan"),
        ("options={'device': 'CUDA1'}", {}, "options: 'device' is decided by the plan"),
        ("options={'no_mmap': true}", {}, "not in llama.cpp 0.7.0 any more"),
        ("environment={'CUDA_VISIBLE_DEVICES': '1'}", {}, "environment: CUDA_VISIBLE_DEVICES is decided by the plan"),
        ("environment={'A B': '1'}", {}, "environment: names are letters"),
        ("environment={true: '1'}", {}, "environment: names are letters"),
        ("environment={none: '1'}", {}, "environment: names are letters"),
        ("environment={'MTMD_BACKEND_DEVICE': 'CPU'}", {}, "MTMD_BACKEND_DEVICE is not for the unit: the plan decides"),
        ("environment={'LLAMA_ARG_N_CPU_MOE': 4}", {}, "environment: LLAMA_ARG_N_CPU_MOE is an option of llama-server"),
        ("environment={'LLAMA_API_KEY': 'sk'}", {}, "environment: LLAMA_API_KEY looks like a secret"),
        ("environment={'hf_token': 'hf'}", {}, "environment: hf_token looks like a secret"),
        ("address='0.0.0.0; touch'", {}, "address: give an IP address"),
        ("clients=['everybody']", {}, "clients: give networks"),
        ("mounts=['/srv:/etc']", {}, "mounts: give absolute paths"),
        ("credentials={'ssl_key_file': 'x.pem'}", {}, "ssl_key_file must be the absolute path"),
        (
            "credentials={'api_key_file': '/k'}, options={'api_key_file': '/x'}",
            {},
            "'api_key_file' is decided by the plan",
        ),
        ("", {"host": machine()}, "plan: it uses GPU 0, and this host has 0 GPUs"),
        ("", {"host": machine(gpu(0, uuid=None)), "planned": shared_plan()}, "has no uuid"),
        ("", {"host": machine(gpu(0, uuid="GPU-other"))}, "GPU 0 of this host is another one now"),
        ("version='version: 9.9.9'", {}, "engine '9.9.9' is not known"),
    ],
)
def test_refusals(arguments, changes, error):
    with pytest.raises(AnsibleError, match=error):
        service(arguments, **changes)


def test_a_model_that_does_not_fit_is_not_started():
    small = machine() | {"memory": {"total_bytes": GIB}}
    planned = answers.model_fit(small, model="deepseek-v3.1", quant="Q4_K_M", advice="never")
    planned |= {"launch": None, "memory": None}
    with pytest.raises(AnsibleError, match="does not fit here"):
        service(planned=planned)


def test_the_version_of_the_host_counts():
    shown = "version: 11669 (abcdef0)\nbuilt with GNU"
    assert service("version=shown", shown=shown)["engine"] == "0.7.0"
    assert service("version=shown", shown="version: 0.7.0 (build 11669, commit Debian)")["engine"] == "0.7.0"
