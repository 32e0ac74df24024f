# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From config.json to tensors: the configs in data/configs, written from public facts of the checkpoints, give the measured lists."""

from __future__ import annotations

import json

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import architecture
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_hf_config
from ansible_collections.prositronic.infra.tests.conformance.measured import DATA, rows

CONFIGS = {path.stem: path for path in sorted((DATA / "configs").glob("*.json"))}
MODELS = {row["model"]: row for row in rows("models", "models_more")}

# Keys of the measured metadata that config.json does not decide, or tells otherwise; none of them changes a tensor.
OTHERWISE = {
    "general.name",
    "general.quantization_version",
    "apertus-8b xielu.alpha_n",  # in the weights
    "apertus-8b xielu.alpha_p",
    "apertus-8b xielu.beta",
    "apertus-8b xielu.eps",
    "command-r7b cohere2.attention.layer_norm_rms_epsilon",
    "command-r7b cohere2.rope.freq_base",  # measured with another base
    "deepseek-v2-lite deepseek2.rope.scaling.yarn_log_multiplier",
    "deepseek-v4-flash deepseek4.swiglu_clamp_exp",
    "deepseek-v4-flash deepseek4.swiglu_clamp_shexp",
    "gemma2-27b gemma2.rope.freq_base",
    "granite-4-h-small granitehybrid.context_length",  # the converter writes 2^20, the model's card says 131072
    "granite-4-h-tiny granitehybrid.context_length",
    "hunyuan-a13b hunyuan-moe.rope.freq_base",  # rounded
    "jamba-1-5-mini jamba.rope.freq_base",  # it has no rotary positions
    "mamba-codestral-7b mamba2.rope.freq_base",
    "phi-3-5-moe phimoe.rope.scaling.attn_factor",
    "starcoder2-15b starcoder2.attention.layer_norm_rms_epsilon",
}


def config_of(name: str) -> dict:
    return json.loads(CONFIGS[name].read_text(encoding="utf-8"))


def read(name: str) -> dict:
    return from_hf_config.metadata(config_of(name), mtp=True if name.endswith("-mtp") else None)


def test_every_measured_model_has_a_config():
    assert set(CONFIGS) == set(MODELS)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_gives_the_tensors_of_the_converter(name):
    built = architecture.tensors(read(name))
    expected = ((tensor, tuple(shape), kind) for tensor, shape, kind in MODELS[name]["tensors"])
    assert sorted((t.name, t.shape, t.type) for t in built) == sorted(expected)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_gives_the_keys_of_the_converter(name):
    written = read(name)
    differing = {
        key: (value, written.get(key))
        for key, value in MODELS[name]["metadata"].items()
        if written.get(key) != value and not {key, f"{name} {key}"} & OTHERWISE
    }
    assert differing == {}
