# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type of every tensor under every measured file type, and the bytes they take together."""

from __future__ import annotations

import math

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.ggml_types import row_bytes
from ansible_collections.prositronic.infra.plugins.plugin_utils import quant
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Tensor
from ansible_collections.prositronic.infra.tests.conformance.measured import rows

MODELS = {
    row["model"]: (row["metadata"], tuple(Tensor(name, tuple(shape), kind) for name, shape, kind in row["tensors"]))
    for row in rows("models", "models_more")
}
TYPES = {(row["model"], row["quant"]): row["types"] for row in rows("quant_types", "quant_types_more")}
SIZES = {(row["model"], row["quant"]): row["tensor_bytes"] for row in rows("sizes", "sizes_more")}


def test_the_data_covers_what_it_says():
    assert len(TYPES) == 688
    assert set(SIZES) == set(TYPES)
    assert {name for _model, name in TYPES} <= set(quant.FILE_TYPES)


@pytest.mark.parametrize(("name", "file_type"), TYPES)
def test_types_and_bytes_are_those_of_llama_quantize(name, file_type):
    metadata, tensors = MODELS[name]
    quantized = quant.quantize(tensors, metadata, file_type)
    expected = [kind for kind, times in TYPES[name, file_type] for dummy in range(times)]
    differing = [(t.name, t.type, kind) for t, kind in zip(quantized, expected, strict=True) if t.type != kind]
    assert differing == []
    assert [(t.name, t.shape) for t in quantized] == [(t.name, t.shape) for t in tensors]
    assert sum(row_bytes(t.type, t.shape[0]) * math.prod(t.shape[1:]) for t in quantized) == SIZES[name, file_type]
