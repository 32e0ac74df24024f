# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few blocks, and one of several GPUs in the middle, give the buffers that the graph of all blocks gives."""

from __future__ import annotations

import random

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.allocation import allocate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.anatomy import anatomy_of
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.compute_buffer import representative
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.options import options_of
from ansible_collections.prositronic.infra.tests.conformance.memory_rows import model

MODELS = (
    ("deepseek-v3", "Q4_K_M"),
    ("gemma3-27b", "Q4_K_M"),
    ("gpt-oss-120b", "MXFP4_MOE"),
    ("llama3-1-70b", "Q4_K_M"),
    ("qwen3-235b-a22b", "Q4_K_M"),
)


def launches(random_numbers, n_layer):
    yield {"ctx_size": 8192}
    for _number in range(2):
        yield {
            "ctx_size": 16384,
            "n_gpu_layers": random_numbers.randrange(4, n_layer + 2),
            "tensor_split": [random_numbers.choice((1, 2, 3)) for _gpu in range(8)],
        }
    yield {"ctx_size": 8192, "n_cpu_moe": random_numbers.randrange(1, n_layer)}


@pytest.mark.parametrize(("name", "quant"), MODELS)
def test_what_stands_for_all_is_as_large(name, quant, monkeypatch):
    anatomy = anatomy_of(model(name, quant))
    for launch in launches(random.Random(name), anatomy.n_layer):
        options = options_of(Launch(**launch), anatomy, 8)
        anatomy.memo.clear()
        few = allocate(anatomy, options, [1.0] * 8)
        anatomy.memo.clear()
        with monkeypatch.context() as patch:
            patch.setattr(representative, "REPEATING", ())
            every = allocate(anatomy, options, [1.0] * 8)
        assert (few.compute, few.host_compute, few.flash) == (every.compute, every.host_compute, every.flash), launch
