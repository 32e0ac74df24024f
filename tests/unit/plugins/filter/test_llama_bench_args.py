# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as llama-bench takes it. Names and separators are those of `llama-bench --help`, llama.cpp 0.7.0."""

from __future__ import annotations

import itertools

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.tests import golden
from ansible_collections.prositronic.infra.tests.unit.templar import render

PLAN = golden.plan("two-l4-qwen3-30b")
HOST = golden.host("two-l4-one-in-use")
CALL = "plan | prositronic.infra.llama_bench_args(host=host, model='/srv/a b.gguf', %s)"


def told(more="", **launch):
    return render(CALL % more, plan=PLAN | {"launch": PLAN["launch"] | launch}, host=HOST)


def options(**launch):
    words = told(**launch)["arguments"]
    return (
        dict(itertools.batched(words, 2))
        if hasattr(itertools, "batched")
        else dict(zip(words[::2], words[1::2], strict=True))
    )


def test_the_plans_options_in_the_programs_own_form():
    found = options(no_kv_offload=True, cpu_moe=True, override_tensor=["a=CPU", "b=CPU"], flash_attn="on")
    assert found["--model"] == "/srv/a b.gguf"
    assert found["--device"] == "CUDA0/CUDA1"
    assert found["--tensor-split"] == "34/15"
    assert found["--override-tensor"] == "a=CPU;b=CPU"
    assert found["--n-gpu-layers"] == "49"
    assert found["--no-kv-offload"] == "1"
    assert found["--flash-attn"] == "on"
    assert int(found["--n-cpu-moe"]) >= 48
    assert not {"--ctx-size", "--parallel", "--alias", "--fit", "--port"} & set(found)


def test_the_plans_gpus_are_all_it_sees():
    uuids = ",".join(gpu["uuid"] for gpu in HOST["gpus"])
    assert told()["environment"] == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": uuids}


def test_each_depth_once_in_order():
    words = told("depths=[8192, 0, 8192]")["arguments"]
    assert words[words.index("--n-depth") + 1] == "0,8192"


@pytest.mark.parametrize("more", ["depths=[-1]", "depths='deep'", "depths=[]", "repetitions=0", "prompt_tokens='x'"])
def test_what_is_no_number_is_refused(more):
    with pytest.raises(
        AnsibleError, match=rf"llama_bench_args: (arguments\.)?{more.partition('=')[0]}: (give|input should be) "
    ):
        told(more)


def test_a_plan_that_does_not_fit_cannot_be_measured():
    plan = PLAN | {"launch": None, "limit": "GPU memory"}
    with pytest.raises(AnsibleError, match="does not fit here .GPU memory.; nothing can be measured"):
        render(CALL % "", plan=plan, host=HOST)
