# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Weights by kind and layer: nothing is lost or counted twice, and each part lies where the launch puts it."""

from __future__ import annotations

import collections
import re

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.breakdown import weight_parts
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.placement import HOST
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import source

GIB = 1 << 30
LAUNCHES = [
    ("gemma-3-4b", 1, {}),  # the embedding is the output too, and is there twice
    ("qwen3-30b-a3b", 2, {"tensor_split": [3, 1], "n_cpu_moe": 5}),
    ("qwen3-30b-a3b", 3, {"override_tensor": [r"blk\.(1|2|30)\.ffn_(up|gate)_(ch|)exps=CPU"]}),
    ("qwen3-30b-a3b", 2, {"n_gpu_layers": 20}),
    ("qwen3-8b", 0, {}),
]


@pytest.mark.parametrize(("name", "gpus", "options"), LAUNCHES)
def test_parts_add_up_to_the_estimate(name, gpus, options):
    model = source.model(name, "Q4_K_M")
    launch = Launch(ctx_size=4096, **options)
    found = collections.Counter()
    for part in weight_parts(model, launch, [16 * GIB] * gpus):
        found[part.device] += part.bytes
    told = estimate(model, launch, [Gpu(index=i, memory_free_bytes=16 * GIB) for i in range(gpus)])
    assert [found[i] for i in range(gpus)] == [device.weights_bytes for device in told.devices]
    assert found[HOST] == told.host.weights_bytes


def test_each_layer_s_experts_are_where_they_are_put():
    model = source.model("qwen3-30b-a3b", "Q4_K_M")
    launch = Launch(ctx_size=4096, n_cpu_moe=2, override_tensor=[r"blk\.7\.ffn_up_exps=CPU"])
    where = collections.defaultdict(set)
    for part in weight_parts(model, launch, [64 * GIB]):
        if part.kind == "experts":
            where[part.layer].add(part.device)
    layers = {int(re.match(r"blk\.(\d+)", t.name)[1]) for t in model.tensors if "_exps" in t.name}
    assert set(where) == layers
    assert {layer for layer, devices in where.items() if devices == {HOST}} == {0, 1}
    assert where[7] == {0, HOST}
