# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is loaded beside the model, as a play says it: headers of files, through Ansible's templating."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleTemplateError
from ansible_collections.prositronic.infra.tests.unit.headers import PROJECTOR, header
from ansible_collections.prositronic.infra.tests.unit.templar import render

GPUS = [{"memory_free_bytes": "{{ 24 * 1024 ** 3 }}"}]


ADAPTER = header("llama", ["F16 4096x16 blk.31.attn_q.weight.lora_a", "F16 16x4096 blk.31.attn_q.weight.lora_b"])


def estimate(arguments, **variables):
    return render(
        f"'llama-3.1-8b-instruct' | prositronic.infra.memory_estimate(quant='Q4_K_M', gpus=gpus, {arguments})",
        gpus=GPUS,
        projector=PROJECTOR,
        adapter=ADAPTER,
        **variables,
    )


def lines(answer):
    return {(line["where"], line["what"]): line["bytes"] for line in answer["lines"]}


def test_a_projector_and_an_adapter_are_lines_of_their_own():
    answer = lines(estimate("launch={'ctx_size': 8192}, mmproj=projector, lora=[adapter]"))
    # Each tensor in whole steps of 128 bytes.
    assert answer["GPU0", "projector weights"] == 2048 + 512
    # Three rows of the embedding and one of the feed-forward for each patch, f32.
    assert answer["GPU0", "projector compute buffer"] == 28 * 28 * (3 * 64 + 256) * 4
    assert answer["host", "projector inputs"] == 392 * 392 * 3 * 4
    assert answer["GPU0", "LoRA adapters"] == 2 * 4096 * 16 * 2


def test_the_projector_goes_where_the_launch_says():
    answer = estimate("launch={'ctx_size': 8192, 'no_mmproj_offload': true}, mmproj=projector")
    assert ("host", "projector weights") in lines(answer)
    assert answer["devices"][0]["extras_bytes"] == 0


def test_a_file_that_is_only_named_is_not_counted_and_that_is_said():
    answer = estimate("launch={'mmproj': '/srv/mmproj.gguf', 'ctx_size': 8192}")
    assert any("mmproj is not counted" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("mmproj=adapter", "'clip'"),
        ("lora=[projector]", "lora: clip is for the architecture 'clip'"),
        ("lora=adapter", "lora: input should be a valid list"),
        ("launch={'mmproj_device': 'CUDA7'}, mmproj=projector", "mmproj_device is not one of this host's devices"),
        ("launch={'spec_type': 'draft-mtp'}", "has none"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(arguments, text):
    with pytest.raises(AnsibleTemplateError) as refused:
        estimate(arguments)
    assert text in str(refused.value)
