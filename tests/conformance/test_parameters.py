# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parameters of catalog models, added up over their tensors, are those that llama.cpp prints when it loads them.

Printed by llama.cpp and its forks (`model params = 671.026 B`) in public logs and bench tables of published files.
"""

from __future__ import annotations

import math

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import architecture
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access

PRINTED = {
    "command-a-111b": "111.058",
    "deepseek-coder-v2": "235.741",
    "deepseek-coder-v2-lite": "15.706",
    "deepseek-v3.1": "671.026",
    "devstral-2-123b-2512": "125.03",
    "gemma-3-27b-it": "27.009",
    "gemma-4-31b-it": "30.697",
    "glm-4.5": "358.338",
    "glm-4.5-air": "110.469",
    "glm-4.7-flash": "29.943",
    "glm-5.1": "753.864",
    "gpt-oss-120b": "116.829",
    "gpt-oss-20b": "20.915",
    "hunyuan-a13b": "80.393",
    "kimi-k2-instruct": "1026.41",
    "llama-3.3-70b-instruct": "70.55",
    "llama-4-scout": "107.77",
    "minimax-m2.7": "228.69",
    "qwen3-235b-a22b": "235.094",
    "qwen3-30b-a3b": "30.532",
    "qwen3-32b": "32.762",
    "qwen3-next-80b-a3b-instruct": "79.67",
    "qwen3.5-122b-a10b": "122.112",
    "qwen3.5-397b-a17b": "396.346",
    "qwen3.5-35b-a3b": "34.661",
}


@pytest.mark.parametrize(("name", "billions"), PRINTED.items())
def test_parameters_are_those_that_llama_cpp_prints(name, billions):
    tensors = architecture.tensors(access.model(name)["metadata"])
    parameters = sum(math.prod(tensor.shape) for tensor in tensors)
    assert f"{parameters / 1e9:.{len(billions.partition('.')[2])}f}" == billions
