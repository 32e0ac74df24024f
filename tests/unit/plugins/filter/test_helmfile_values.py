# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter helmfile_values, as a play calls it. Plans are the planner's; expected figures are arithmetic on them."""

from __future__ import annotations

import copy

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import hosts
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.helmfile_values import HelmfileValues
from ansible_collections.prositronic.infra.tests.unit.templar import render

GIB = 1 << 30
MIB = 1 << 20
# llama-server's own default of --cache-ram
PROMPT_CACHE_MIB = 8192
# What the values count for the program itself
PROGRAM_MIB = 2048
SHA256 = "ab" * 32


def plan_of(host, **wish):
    return answers.model_fit(host=host, **{"model": "qwen3-8b", "quant": "Q4_K_M", "context": 4096, **wish})


@pytest.fixture(scope="module")
def gex131():
    return hosts.server("hetzner-gex131")


@pytest.fixture(scope="module")
def deepseek(gex131):
    return plan_of(gex131, model="deepseek-v3.1", quant="Q3_K_M", context=32768)


@pytest.fixture(scope="module")
def small():
    return plan_of({"gpus": [hosts.gpu("L4")], "memory": {"total_bytes": 64 * GIB}})


def text_of(plan, arguments="", **variables):
    return render(f"plan | prositronic.infra.helmfile_values({arguments})", plan=plan, **variables)


def values_of(plan, arguments="", **variables):
    return yaml.safe_load(text_of(plan, arguments, **variables))["llamaServer"]


def test_first_the_schema_then_what_it_is(deepseek):
    lines = text_of(deepseek, "date='2026-11-21'").splitlines()
    assert (
        lines[0] == "# yaml-language-server: $schema=https://www.prositronic.eu/schemas/1/helmfile_values.schema.json"
    )
    assert lines[1].startswith("# DeepSeek-V3.1 Q3_K_M, 297.3 GiB; runs on gpu+host with a context of 32,768 tokens")
    assert f"# Plan {deepseek['plan_id']} of prositronic.infra for llama.cpp 0.7.0, data of 2026-11-21." in lines


def test_every_block_says_where_it_comes_from(deepseek, gex131):
    lines = text_of(deepseek, "host=host", host=gex131).split("llamaServer:\n")[1].splitlines()
    blocks = [i for i, line in enumerate(lines) if line.startswith("  ") and line[2] not in " #"]
    explained = {"tolerations:", "runtimeClassName:", "progressDeadlineSeconds:", "hubToken:"}  # by the block above
    bare = [lines[i].strip() for i in blocks if not lines[i - 1].startswith("  #")]
    assert {name.split(" ")[0] for name in bare} == explained


def test_image_is_pinned_to_build_and_backend(deepseek, small):
    assert values_of(deepseek)["image"] == {"repository": "ghcr.io/ggml-org/llama.cpp", "tag": "server-cuda13-b11669"}
    v100 = plan_of({"gpus": [hosts.gpu("V100S-PCIe-32GB")], "memory": {"total_bytes": 64 * GIB}})
    assert values_of(v100)["image"]["tag"] == "server-cuda12-b11669"


def test_args_are_those_of_the_command_line(deepseek):
    """The same options as the filter llama_server_args writes, but for metrics, and for what the chart decides."""
    words = render("plan | prositronic.infra.llama_server_args", plan=deepseek)
    written = []
    for option, value in values_of(deepseek)["args"].items():
        written += [f"--{option}"] if value is True else [f"--{option}", value]
    assert sorted(written) == sorted([*words, "--metrics"])


def test_devices_are_counted_as_the_container_sees_them():
    """A plan for the third and fourth card of a host; a container that is given two has the first and the second."""
    plan = plan_of({"gpus": [hosts.gpu("L4", i) for i in range(4)], "memory": {"total_bytes": 64 * GIB}}, quant="BF16")
    moved = copy.deepcopy(plan)
    moved["launch"] |= {"device": ["CUDA2", "CUDA3"], "override_tensor": ["blk.1.ffn=CUDA3", "blk.2.ffn=CPU"]}
    args = values_of(moved)["args"]
    assert (args["device"], args["override-tensor"]) == ("CUDA0,CUDA1", "blk.1.ffn=CUDA1,blk.2.ffn=CPU")


def test_page_cache_is_counted_apart_from_what_is_allocated(deepseek):
    host = deepseek["memory"]["host"]
    allocated = host["kv_bytes"] + host["compute_bytes"] + host["output_bytes"] + (PROMPT_CACHE_MIB + PROGRAM_MIB) * MIB
    resources = values_of(deepseek)["resources"]
    assert resources["requests"]["memory"] == f"{-(-(allocated + host['weights_bytes']) // MIB)}Mi"
    assert resources["limits"]["memory"] == resources["requests"]["memory"]
    shown = f"allocated {allocated / GIB:.1f} GiB", f"page cache {host['weights_bytes'] / GIB:.1f} GiB"
    said = " ".join(text_of(deepseek).replace("#", " ").split())
    assert all(part in said for part in shown)


def test_weights_that_are_loaded_are_allocated(deepseek):
    loaded = copy.deepcopy(deepseek)
    loaded["launch"]["load_mode"] = "none"
    assert values_of(loaded)["resources"] == values_of(deepseek)["resources"]
    assert "page cache" not in text_of(loaded)


def test_weights_on_disk_ask_for_no_ram_and_set_no_limit():
    plan = plan_of(hosts.server("ovh-ai1-1-gpu"), model="deepseek-v3.1", quant="Q4_0", context=32768)
    assert plan["placement"] == "disk"
    resources = values_of(plan)["resources"]
    assert int(resources["requests"]["memory"].removesuffix("Mi")) < 40 * 1024
    assert list(resources["limits"]) == ["nvidia.com/gpu"]


def test_the_planned_gpu_is_allowed_and_smaller_or_older_ones_are_not(deepseek, gex131):
    """97,887 MiB in nvidia-smi, compute capability 12.0; the plan fills it, so that 80 GB are too few."""
    rules = values_of(deepseek, "host=host", host=gex131)["nodeRequirements"]
    assert 81559 < int(rules["nvidia.com/gpu.memory"]["Gt"]) < 97887
    # cuda13 serves 7.5 and newer: of major 7 that is all but Volta
    assert rules["nvidia.com/gpu.compute.major"] == {"Gt": "6"}
    assert rules["nvidia.com/gpu.family"] == {"NotIn": ["volta"]}
    assert rules["nvidia.com/cuda.driver-version.major"] == {"Gt": "609"}
    assert not any("product" in label for label in rules)


def test_a_driver_that_is_known_to_do_is_allowed():
    """CUDA 12.8 wants 570.26; an L4 is served by machine code, which runs from 525 on."""
    host = {"gpus": [hosts.gpu("L4")], "memory": {"total_bytes": 64 * GIB}, "driver": {"version": "535.274.02"}}
    plan = plan_of(host)
    assert values_of(plan)["nodeRequirements"]["nvidia.com/cuda.driver-version.major"] == {"Gt": "569"}
    known = values_of(plan, "host=host", host=host)["nodeRequirements"]
    assert known["nvidia.com/cuda.driver-version.major"] == {"Gt": "524"}


def test_amd(small):
    host = {"gpus": [hosts.gpu("MI300X")], "memory": {"total_bytes": 64 * GIB}}
    values = values_of(plan_of(host, model="gpt-oss-120b", quant="MXFP4_MOE", context=131072), "host=host", host=host)
    assert values["resources"]["limits"]["amd.com/gpu"] == 1
    sizes = values["nodeRequirements"]["amd.com/gpu.vram"]["In"]
    assert {"192G", "191G", "256G"} <= set(sizes) and "48G" not in sizes
    assert values["image"]["tag"].startswith("server-rocm-")


def test_a_mig_slice():
    gpu = {**hosts.gpu("A100-SXM-80GB"), "memory_free_bytes": 19 * GIB, "mig": {"profile": "2g.20gb"}}
    host = {"gpus": [gpu], "memory": {"total_bytes": 64 * GIB}}
    values = values_of(plan_of(host), "host=host", host=host)
    assert values["resources"]["limits"]["nvidia.com/mig-2g.20gb"] == 1
    assert values["nodeRequirements"]["nvidia.com/gpu.memory"] == {"Exists": True}


def test_without_a_gpu_nothing_is_asked_of_nodes():
    values = values_of(plan_of({"gpus": [], "memory": {"total_bytes": 64 * GIB}}))
    assert "nodeRequirements" not in values and "tolerations" not in values
    assert set(values["resources"]["limits"]) == {"memory"}


def test_the_time_to_start_grows_with_the_model(deepseek, small):
    for plan in (deepseek, small):
        probe = values_of(plan)["startupProbe"]
        load = plan["model"]["bytes"] / 100e6 + 300
        assert load <= probe["periodSeconds"] * probe["failureThreshold"] < load + 20


def test_the_volume_holds_the_files(deepseek):
    size = int(values_of(deepseek)["persistence"]["size"].removesuffix("Gi")) * GIB
    assert 1.05 * deepseek["model"]["bytes"] < size < 1.07 * deepseek["model"]["bytes"]


def test_the_repository_is_one_that_was_seen_publishing_the_model(deepseek):
    """unsloth/DeepSeek-V3.1-GGUF is in the catalog's list of published files."""
    model = values_of(deepseek)["model"]
    assert (model["repository"], model["revision"], model["quant"]) == ("unsloth/DeepSeek-V3.1-GGUF", "main", "Q3_K_M")


def test_files_are_pinned(small):
    files = [
        {"name": "a-00001-of-00002.gguf", "sha256": SHA256},
        {"name": "b/c.gguf", "sha256": SHA256, "url": "https://m/x"},
    ]
    model = values_of(small, "repository='p/q', revision='v1', files=files", files=files)["model"]
    assert model["files"] == {
        "a-00001-of-00002.gguf": {"sha256": SHA256},
        "b/c.gguf": {"sha256": SHA256, "url": "https://m/x"},
    }
    assert (model["repository"], model["revision"]) == ("p/q", "v1")


def test_name_and_alias(small):
    assert yaml.safe_load(text_of(small))["release"]["name"] == "qwen3-8b-q4-k-m"
    named = plan_of({"gpus": [hosts.gpu("L4")], "memory": {"total_bytes": 64 * GIB}}, name="chat", port=9000)
    document = yaml.safe_load(text_of(named))
    assert document["release"]["name"] == "chat"
    assert document["llamaServer"]["model"]["alias"] == "chat"
    assert document["llamaServer"]["service"]["port"] == 9000


def test_hostile_text_is_text(small):
    hostile = "a\"b'c: { x } $(y)\n- z # é\u2028\x07 !!int 1"
    named = copy.deepcopy(small)
    named["model"]["name"] = hostile
    named["warnings"] = [hostile]
    named["launch"]["alias"] = hostile
    text = text_of(named, "name='chat', options={'chat_template': hostile}", hostile=hostile)
    values = yaml.safe_load(text)["llamaServer"]
    assert (values["model"]["alias"], values["args"]["chat-template"]) == (hostile, hostile)
    assert yaml.safe_load(text).keys() == {"release", "llamaServer"}


@pytest.mark.parametrize("word", ["on", "1e3", "012", "1_000", "0x1f", "null", "~", "2026-11-21", "y", "1:30", ".inf"])
def test_words_that_yaml_takes_for_something_else_are_quoted(small, word):
    text = text_of(small, "options={'chat_template': word}", word=word)
    assert f'chat-template: "{word}"' in text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("name='Not A Name'", "release.name"),
        ("namespace='x_y'", "release.namespace"),
        ("repository='no slash'", "model.repository"),
        ("files=[{'name': 'x.gguf'}]", "'sha256' is missing"),
        ("files=['x.gguf']", "files: give a list of"),
        ("files=[{'name': 'x.gguf', 'sha256': 'ab' * 32}]", "each needs a url where no repository is given"),
        ("repository='p/q', files=[{'name': '../x.gguf', 'sha256': 'ab' * 32}]", "files"),
        ("options={'api_key': 'hunter2'}", "'api_key' is decided by the chart"),
        ("options={'ctx_size': 1}", "'ctx_size' is decided by the plan"),
        ("options={'no_mmap': true}", "not in llama.cpp 0.7.0 any more"),
    ],
)
def test_refusals(small, arguments, error):
    with pytest.raises(AnsibleError, match=error) as refused:
        text_of(small, arguments)
    assert "hunter2" not in str(refused.value)


def test_a_plan_that_cannot_run_has_no_values():
    plan = plan_of({"gpus": [], "memory": {"total_bytes": 4 * GIB}}, model="deepseek-v3.1", allow={"disk": False})
    with pytest.raises(AnsibleError, match="the plan has no launch, since its model does not fit"):
        text_of(plan)


def test_a_model_without_a_known_repository_wants_one():
    plan = plan_of({"gpus": [], "memory": {"total_bytes": 256 * GIB}}, model="hunyuan-a13b")
    with pytest.raises(AnsibleError, match="no GGUF repository of it is known; give repository"):
        text_of(plan)
    assert values_of(plan, "repository='p/q'")["model"]["repository"] == "p/q"


def test_it_follows_the_published_schema(deepseek):
    HelmfileValues.read(yaml.safe_load(text_of(deepseek)), "values")
