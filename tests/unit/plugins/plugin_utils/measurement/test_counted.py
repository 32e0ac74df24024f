# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measurements of another build or model do not count."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.base import ContractError
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.measured import Measured
from ansible_collections.prositronic.infra.plugins.plugin_utils.measurement.counted import counted

RUN = {
    "measured_at": "2026-11-22T02:35:26Z",
    "source": "llama-bench",
    "engine": {"version": "0.7.0", "build": 11669},
    "model": {"id": "llama-3.1-8b", "quant": "Q4_K_M", "parameters": 8_030_261_312, "bytes": 4_912_898_304},
    "launch": {"ctx_size": 4096},
    "rates": [{"depth": 0, "decode_tokens_per_second": 55.5}],
}
PLANNED = {"engine": "0.7.0", "parameters": 8_030_261_312, "tensor_bytes": 4_912_898_304}


def measured(**changed):
    return Measured.read({"schema": 1, "runs": [RUN | changed]}, "measured")


def test_the_same_file_counts_whatever_it_is_called():
    assert counted(measured(model=RUN["model"] | {"id": None, "quant": None}), **PLANNED)


def test_a_name_counts_where_no_file_was_seen():
    guessed = PLANNED | {"tensor_bytes": 4_900_000_000}
    assert not counted(measured(), **guessed)
    assert counted(measured(), **guessed, model_id="llama-3.1-8b", quant="Q4_K_M")
    assert not counted(measured(), **guessed, model_id="llama-3.1-8b", quant="Q8_0")


@pytest.mark.parametrize(
    "changed",
    [
        {"engine": {"version": "0.7.0", "build": 11670}},
        {"model": RUN["model"] | {"bytes": 4_912_898_305}},
        {"model": RUN["model"] | {"parameters": 8_030_261_313}},
    ],
)
def test_another_build_or_model_does_not_count(changed):
    assert not counted(measured(**changed), **PLANNED)


def test_the_newest_comes_first():
    runs = [RUN, RUN | {"measured_at": "2026-11-23T00:00:00Z"}]
    found = counted(Measured.read({"schema": 1, "runs": runs}, "measured"), **PLANNED)
    assert [run.measured_at[:10] for run in found] == ["2026-11-23", "2026-11-22"]


def test_a_host_carries_them_and_says_what_is_wrong_with_them():
    host = {"gpus": [], "memory": {"total_bytes": 1}, "measured": {"schema": 1, "runs": [RUN]}}
    assert InferenceHost.read(host, "host").measured == measured()
    with pytest.raises(ContractError, match=r"unknown key .measured\.runs\[0\]\.speed"):
        InferenceHost.read(host | {"measured": {"runs": [RUN | {"speed": 1}]}}, "host")
