# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter from_hf_config, as a play calls it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_catalog
from ansible_collections.prositronic.infra.tests.unit.templar import render

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "_name_or_path": "meta-llama/Llama-3.2-1B",
    "head_dim": 64,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "max_position_embeddings": "{{ context }}",
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "original_max_position_embeddings": 8192},
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "vocab_size": 128256,
}


def converted(arguments="", **changes):
    return render(f"config | prositronic.infra.from_hf_config({arguments})", config=CONFIG | changes, context=131072)


def test_a_config_becomes_a_model_to_plan_for():
    value = converted()
    assert (value["id"], value["name"]) == ("Llama-3.2-1B", "Llama-3.2-1B")
    assert value["metadata"]["llama.context_length"] == 131072
    assert len(from_catalog.quantised(value, "Q4_K_M").tensors) == 147


def test_it_can_be_named():
    assert converted("name='ours'")["id"] == "ours"


def test_memory_is_that_of_the_same_model_out_of_the_catalog():
    asked = "prositronic.infra.memory_estimate(quant='Q4_K_M', launch={'ctx_size': 16384})"
    names = {"config": CONFIG, "context": 131072}
    of_config = render(f"config | prositronic.infra.from_hf_config | {asked}", **names)
    assert of_config == render(f"'llama-3.2-1b-instruct' | {asked}")
    # 16 layers, 8 heads of 64 for keys and as many for values, two bytes each.
    assert of_config["host"]["kv_bytes"] == 16384 * 16 * 8 * 64 * 2 * 2


def test_it_is_planned_for_as_the_same_model_out_of_the_catalog():
    host = {"gpus": [{"vendor": "nvidia", "memory_free_bytes": 8 << 30}], "memory": {"total_bytes": 32 << 30}}
    names = {"config": CONFIG, "context": 131072, "host": host}
    model = "config | prositronic.infra.from_hf_config"
    of_config = render(f"host | prositronic.infra.model_fit({model}, quant='Q8_0', context=32768)", **names)
    of_catalog = render("host | prositronic.infra.model_fit('llama-3.2-1b', quant='Q8_0', context=32768)", **names)
    assert (of_config["launch"], of_config["memory"]) == (of_catalog["launch"], of_catalog["memory"])
    assert of_config["placement"] == "gpu"


def test_what_is_wrong_is_told_with_the_filters_name():
    with pytest.raises(AnsibleError, match=r"from_hf_config: config\.json: 'hidden_size' must be a whole number"):
        converted(hidden_size="2048")
    with pytest.raises(AnsibleError, match="MambaLMHeadModel is not known here"):
        converted(architectures=["MambaLMHeadModel"])


def test_scaled_positions_are_warned_of(capsys):
    scaled = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 131072}
    value = converted(rope_scaling=scaled)
    assert len(value["warnings"]) == 1
    assert "ask for up to 524288" in " ".join(capsys.readouterr().err.split())


def test_an_undefined_config_is_ansibles_own_error():
    with pytest.raises(AnsibleError, match="'nowhere' is undefined"):
        render("nowhere | prositronic.infra.from_hf_config")
