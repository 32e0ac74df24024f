# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet in a few lines: hosts that run a model from the same place are counted together."""

from __future__ import annotations

from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import hosts

GIB = 1 << 30


def test_a_line_for_each_model_and_place():
    card = {**hosts.gpu("L4"), "memory_free_bytes": 22 * GIB}
    small = {**hosts.gpu("L4"), "memory_free_bytes": 8 * GIB}
    fleet = {
        **{f"large{n}": {"gpus": [card], "memory": {"total_bytes": 64 * GIB}} for n in range(50)},
        "small": {"gpus": [small], "memory": {"total_bytes": 64 * GIB}},
        "none": {"gpus": [], "memory": {"total_bytes": 2 * GIB}},
    }
    models = [{"name": "chat", "model": "qwen3-8b", "quant": "Q4_K_M", "context": 32768, "allow": {"disk": False}}]
    answer = answers.fleet_fit(fleet, models)
    told = {line["placement"]: line for line in answer["summary"]}
    assert told["gpu"]["hosts"] == 51
    assert told["gpu"]["context"] == answer["plans"][answer["hosts"]["small"]["chat"]]["memory"]["n_ctx_seq"] < 32768
    assert told["none"] == {
        "name": "chat",
        "model": "qwen3-8b",
        "quant": "Q4_K_M",
        "placement": "none",
        "fits": False,
        "context": None,
        "hosts": 1,
    }
