# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A refused value is explained in one sentence that names the key, and never repeats the value."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.request import FitRequest, ModelWish

RAM = {"total_bytes": 1}


@pytest.mark.parametrize(
    ("contract", "value", "text"),
    [
        (
            InferenceHost,
            {"gpus": [{"memory_fre_bytes": 5}], "memory": RAM},
            "it: unknown key 'gpus[0].memory_fre_bytes'; did you mean 'memory_free_bytes'?",
        ),
        (InferenceHost, {"gpus": []}, "it: 'memory' is missing"),
        (Launch, {"flash_atn": True}, "it: unknown key 'flash_atn'; did you mean 'flash_attn'?"),
        (Launch, {"ctx_size": -1}, "it.ctx_size: input should be greater than or equal to 0"),
        (FitRequest, {"model": "m", "contxt": 1}, "it: unknown key 'contxt'; did you mean 'context'?"),
        (
            FitRequest,
            {"model": "m", "context": {"wanted": 4096, "minimum": 8192}},
            "it.context: wanted (4096) is less than minimum (8192); swap them",
        ),
        (
            ModelWish,
            {"model": "m", "name": "n", "port": 65535, "replicas": 2},
            "it: the last of 2 replicas would have a port above 65535; begin at 65534 at most",
        ),
        (
            ModelWish,
            {"model": "m", "name": "n" * 62, "replicas": 10},
            "it: a name has at most 64 characters, with the number of its replica; take at most 61",
        ),
    ],
)
def test_the_sentence_names_the_key_and_what_would_be_right(contract, value, text):
    with pytest.raises(ContractError) as refused:
        contract.read(value, "it")
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("contract", "value"),
    [
        (InferenceHost, {"gpus": [{"memory_total_bytes": "s3cret"}], "memory": RAM}),
        (Launch, {"api_key_file": ["s3cret"]}),
        (ModelWish, {"model": "m", "name": "s3cret\n"}),
        (ModelWish, {"model": ["m", 7, "s3cret"], "name": "n", "quant": {"s3cret": 1}}),
    ],
)
def test_a_value_is_not_repeated(contract, value):
    with pytest.raises(ContractError) as refused:
        contract.read(value, "it")
    assert "s3cret" not in str(refused.value)


def test_switches_take_the_booleans_that_yaml_makes_of_on_and_off():
    assert Launch.read({"flash_attn": True, "fit": False}, "it").plain() == {"flash_attn": "on", "fit": "off"}


def test_a_survey_s_empty_answers_are_the_same_as_none():
    asked = FitRequest.read({"model": "m", "quant": "", "parallel": "", "context": "", "engine": None}, "it")
    assert asked == FitRequest(model="m")


def test_a_number_is_the_wanted_context():
    assert FitRequest.read({"model": "m", "context": "2048"}, "it").context.model_dump() == {
        "wanted": 2048,
        "minimum": 2048,
    }


@pytest.mark.parametrize("wish", [{"name": "n" * 64, "port": 65535}, {"name": "n" * 61, "port": 65520, "replicas": 16}])
def test_every_replica_keeps_to_the_contract(wish):
    for one in ModelWish.read({"model": "m", **wish}, "it").each():
        assert ModelWish.read(one.plain(), "it") == one
