# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A launch as an argument list."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.plugins.plugin_utils.render import options
from ansible_collections.prositronic.infra.plugins.plugin_utils.render.arguments import arguments, option_lines

KNOWN = options.from_engine(access.engine("0.7.0"))


@pytest.mark.parametrize(
    ("launch", "words"),
    [
        ({}, []),
        ({"ctx_size": 8192}, ["--ctx-size", "8192"]),
        ({"ctx_size": None}, []),
        ({"predict": -1}, ["--predict", "-1"]),
        ({"n_predict": 1}, ["--n-predict", "1"]),
        ({"flash_attn": True}, ["--flash-attn", "on"]),
        ({"flash_attn": "auto"}, ["--flash-attn", "auto"]),
        ({"fit": False}, ["--fit", "off"]),
        ({"kv_unified": True}, ["--kv-unified"]),
        ({"kv_unified": False}, ["--no-kv-unified"]),
        ({"no_kv_offload": True}, ["--no-kv-offload"]),
        ({"no_kv_offload": False}, ["--kv-offload"]),
        ({"swa_full": True}, ["--swa-full"]),
        ({"swa_full": False}, []),
        ({"no_host": True}, ["--no-host"]),
        ({"tensor_split": [3.0, 1.5, 0.1]}, ["--tensor-split", "3,1.5,0.1"]),
        ({"device": ["CUDA0", "CUDA1"]}, ["--device", "CUDA0,CUDA1"]),
        ({"spec_type": ["draft-mtp", "ngram-mod"]}, ["--spec-type", "draft-mtp,ngram-mod"]),
        ({"control_vector_layer_range": [1, 4]}, ["--control-vector-layer-range", "1", "4"]),
        ({"alias": 'a name, with "quotes" and\nlines'}, ["--alias", 'a name, with "quotes" and\nlines']),
        ({"rope_freq_base": 1000000.0}, ["--rope-freq-base", "1e+06"]),
    ],
)
def test_words(launch, words):
    assert arguments(launch, KNOWN) == words


def test_the_order_is_that_of_help_whatever_the_order_of_the_launch():
    one = {"port": 8080, "ctx_size": 1, "model": "m.gguf"}
    other = dict(reversed(one.items()))
    assert option_lines(one, KNOWN) == option_lines(other, KNOWN)
    assert [line[0] for line in option_lines(one, KNOWN)] == ["--ctx-size", "--model", "--port"]


@pytest.mark.parametrize(
    ("launch", "error"),
    [
        ({"no_mmap": True}, "option 'no_mmap' is not in llama.cpp 0.7.0 any more; use load_mode: none"),
        ({"draft_max": 3}, "option 'draft_max' is not in llama.cpp 0.7.0 any more; use --spec-draft-n-max or"),
        ({"ctx_sise": 1}, "option 'ctx_sise' is not known to llama.cpp 0.7.0; did you mean 'ctx_size'?"),
        ({"qqqq": 1}, "option 'qqqq' is not known to llama.cpp 0.7.0$"),
        ({"api_key": "hidden"}, "option 'api_key' would show a secret"),
        ({"ctx_size": True}, "option 'ctx_size' takes a value; true and false are none"),
        ({"metrics": "hidden"}, "option 'metrics' is a switch; give true or false"),
        ({"cache_type_k": "hidden"}, "option 'cache_type_k' takes f32, f16, .* or q5_1"),
        ({"spec_type": ["ngram-mod", "hidden"]}, "option 'spec_type' takes none, "),
        ({"gpu_layers": 1, "n_gpu_layers": 1}, "options 'gpu_layers' and 'n_gpu_layers' are the same"),
        ({"no_kv_offload": True, "kv_offload": True}, "are the same; give one of them"),
        ({"override_tensor": ["hidden,=CPU"]}, "option 'override_tensor' is a list .* none with a comma"),
        ({"device": []}, "give at least one value"),
        ({"control_vector_layer_range": [1]}, "takes a list of 2 values"),
        ({"alias": "hidden\0"}, "holds a NUL character"),
        ({"alias": {"hidden": 1}}, "option 'alias' takes text or a number"),
    ],
)
def test_refusals_name_the_option_and_never_the_value(launch, error):
    with pytest.raises(ValueError, match=error) as refused:
        arguments(launch, KNOWN)
    assert "hidden" not in str(refused.value)
