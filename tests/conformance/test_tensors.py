# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tensors built from metadata are those of the measured models: names, shapes, types."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import architecture
from ansible_collections.prositronic.infra.tests.conformance.checkpoints import CHECKPOINTS
from ansible_collections.prositronic.infra.tests.conformance.measured import rows

MODELS = {row["model"]: row for row in rows("models", "models_more")}


def test_the_data_covers_what_it_says():
    assert len(MODELS) == 69
    assert len({row["metadata"]["general.architecture"] for row in MODELS.values()}) == 54
    assert set(CHECKPOINTS) <= set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_tensors_are_those_of_the_converter(name):
    row = MODELS[name]
    built = architecture.tensors(row["metadata"] | CHECKPOINTS.get(name, {}))
    assert sorted((t.name, t.shape, t.type) for t in built) == sorted((n, tuple(s), k) for n, s, k in row["tensors"])


def test_nothing_but_the_keys_of_the_architecture_matters():
    row = MODELS["llama3-1-8b"]
    noise = {key.replace("llama.", "qwen3."): 7 for key in row["metadata"] if key.startswith("llama.")}
    assert architecture.tensors(noise | row["metadata"]) == architecture.tensors(row["metadata"])
