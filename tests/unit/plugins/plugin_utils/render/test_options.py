# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options read out of a help text. Expected values follow from llama.cpp's notation in common/arg.cpp."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.plugins.plugin_utils.render import help as help_text
from ansible_collections.prositronic.infra.plugins.plugin_utils.render import options

HELP = """\
----- common params -----

-h,    --help, --usage                  print usage and exit
-c,    --ctx-size N                     size of the prompt context (default: 0, 0 = loaded from model)
                                        (env: LLAMA_ARG_CTX_SIZE)
-fa,   --flash-attn [on|off|auto]       set Flash Attention use ('on', 'off', or 'auto', default: 'auto')
-kvo,  --kv-offload, -nkvo, --no-kv-offload
                                        whether to enable KV cache offloading (default: enabled)
--no-host                               bypass host buffer
-ctk,  --cache-type-k TYPE              KV cache data type for K
                                        allowed values: f32, f16, bf16
                                        (default: f16)
-lm,   --load-mode MODE                 model loading mode (default: auto)
                                        - none: no special loading mode
                                        - mmap+mlock: mmap + force system to keep model in RAM
-ot,   --override-tensor <tensor name pattern>=<buffer type>,...
                                        override tensor buffer type
--control-vector-layer-range START END
                                        layer range to apply the control vector(s) to


----- speculative params -----

--spec-type none,draft-simple,ngram-mod
                                        comma-separated list of types
--draft, --draft-n N                    the argument has been removed. use --spec-draft-n-max
                                        (env: LLAMA_ARG_DRAFT_MAX)
"""

TABLE = """\
--help --usage
--ctx-size N
--flash-attn on|off|auto
--kv-offload ! --no-kv-offload
--no-host
--cache-type-k f32|f16|bf16
--load-mode none|mmap+mlock|auto
--override-tensor VALUE
--control-vector-layer-range START END
--spec-type none,draft-simple,ngram-mod
"""


def test_every_notation_of_help():
    described = help_text.read(HELP)
    assert options.table(described) == TABLE
    assert options.removed(described) == {"draft": "use --spec-draft-n-max", "draft_n": "use --spec-draft-n-max"}


def test_a_text_without_options_is_refused():
    with pytest.raises(ValueError, match="lists no options"):
        help_text.read("bash: llama-server: command not found\n")


def test_a_table_means_what_it_says():
    known = options.from_engine({"version": "1.0.0", "options": TABLE, "removed_options": {}}).by_key()
    assert known["kv_offload"][0] is known["no_kv_offload"][0]
    assert (known["kv_offload"][1], known["no_kv_offload"][1]) == (True, False)
    assert known["no_host"] == (options.Option(("--no-host",)), True)
    assert (known["ctx_size"][0].values, known["control_vector_layer_range"][0].values) == (1, 2)
    assert known["cache_type_k"][0].choices == ("f32", "f16", "bf16")
    assert not known["cache_type_k"][0].combined
    assert known["spec_type"][0].combined


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("version: 0.7.0 (build 11669, commit Debian)\nbuilt with GNU 16.2.0 for Linux x86_64\n", ("0.7.0", 11669)),
        ("ggml_cuda_init: found 1 CUDA devices:\nversion: 6780 (abcdef12)\nbuilt with GNU 13.3.0\n", (None, 6780)),
        ("version: 10573 (0a1b2c3)", (None, 10573)),
        ("llama-server: error while loading shared libraries: libcuda.so.1", (None, None)),
        ("", (None, None)),
    ],
)
def test_what_version_prints(text, found):
    assert help_text.version(text) == found


def test_the_catalog_knows_what_launches_are_made_of():
    known = options.from_engine(access.engine("0.7.0")).by_key()
    for key in ("model", "ctx_size", "parallel", "kv_unified", "device", "n_gpu_layers", "tensor_split", "fit", "port"):
        assert key in known, key
    # --help of 0.7.0 has 258 options with long names, of which five are only there to be called removed
    assert len(access.engine("0.7.0")["options"].splitlines()) == 253
    assert not set(access.engine("0.7.0")["removed_options"]) & set(known)
