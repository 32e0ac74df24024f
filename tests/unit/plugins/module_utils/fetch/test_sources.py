# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a repository a quant means, which parts a model has, how large a quantised one will be."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.fetch.hub import choose
from ansible_collections.prositronic.infra.plugins.module_utils.fetch.parts import FetchError
from ansible_collections.prositronic.infra.plugins.module_utils.fetch.path import all_parts
from ansible_collections.prositronic.infra.plugins.module_utils.fetch.quantize import predicted_bytes

REPOSITORY = [
    "README.md",
    "model-Q4_K_M.gguf",
    "model-UD-Q4_K_XL.gguf",
    "model-Q4_K_S.gguf",
    "model-q8_0.gguf",
    "mmproj-F16.gguf",
    "BF16/model-BF16-00001-of-00002.gguf",
    "BF16/model-BF16-00002-of-00002.gguf",
    "IQ2_M/model-00001-of-00001.gguf",
]


@pytest.mark.parametrize(
    ("quant", "files"),
    [
        ("Q4_K_M", ["model-Q4_K_M.gguf"]),
        ("q4_k_m", ["model-Q4_K_M.gguf"]),
        ("UD-Q4_K_XL", ["model-UD-Q4_K_XL.gguf"]),
        ("Q8_0", ["model-q8_0.gguf"]),
        ("BF16", ["BF16/model-BF16-00001-of-00002.gguf", "BF16/model-BF16-00002-of-00002.gguf"]),
        ("IQ2_M", ["IQ2_M/model-00001-of-00001.gguf"]),
    ],
)
def test_a_quant_means_the_files_of_one_model(quant, files):
    assert choose(REPOSITORY, quant) == files


@pytest.mark.parametrize(
    ("names", "quant", "error"),
    [
        (REPOSITORY, "Q4_K", "no GGUF file of the repository is named by the quant Q4_K; it has BF16/model-BF16-00001"),
        (REPOSITORY, "F16", "no GGUF file of the repository is named by the quant F16"),
        (["README.md"], "Q8_0", "it has no GGUF file"),
        (
            ["a-Q8_0.gguf", "b-Q8_0.gguf"],
            "Q8_0",
            "several models of the repository have the quant Q8_0: a-Q8_0.gguf, b-",
        ),
    ],
)
def test_a_quant_that_means_no_model_or_several(names, quant, error):
    with pytest.raises(FetchError, match=error):
        choose(names, quant)


def test_all_parts_of_a_split_model():
    assert all_parts("m-00002-of-00003.gguf") == [f"m-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    assert all_parts("model.gguf") == ["model.gguf"]


def test_the_size_that_a_dry_run_predicts():
    # What llama-quantize 0.7.0 printed
    text = (
        "llama_model_quantize_impl: model size  =     5.06 MiB (32.00 BPW)\n"
        "llama_model_quantize_impl: quant size  =     1.35 MiB (8.52 BPW)\n"
    )
    assert predicted_bytes(text) == int(1.35 * 2**20)
    assert predicted_bytes("llama_quantize: invalid ftype 'Q9_0'\n") is None
