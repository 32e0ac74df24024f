# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A llama of 76 million parameters in F32, small enough to be run by llama.cpp anywhere, for tests that need no file."""

from __future__ import annotations

import typing as t

LAYERS, WIDTH, VOCABULARY = 8, 1024, 286


def llama(layers: int = LAYERS) -> dict[str, t.Any]:
    """A llama in F32, as `gguf_info` tells it."""
    matrices = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (WIDTH, WIDTH // 2),
        "attn_v": (WIDTH, WIDTH // 2),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (WIDTH, 2 * WIDTH),
        "ffn_up": (WIDTH, 2 * WIDTH),
        "ffn_down": (2 * WIDTH, WIDTH),
        "attn_norm": (WIDTH,),
        "ffn_norm": (WIDTH,),
    }
    tensors = [("token_embd", (WIDTH, VOCABULARY)), ("output", (WIDTH, VOCABULARY)), ("output_norm", (WIDTH,))]
    tensors += [(f"blk.{layer}.{name}", shape) for layer in range(layers) for name, shape in matrices.items()]
    return {
        "schema": 1,
        "files": [{"path": "/srv/models/llama.gguf", "size_bytes": 304_413_984}],
        "version": 3,
        "alignment": 32,
        "metadata": {
            "general.architecture": "llama",
            "general.name": "Random llama",
            "general.file_type": 0,
            "llama.context_length": 2048,
            "llama.embedding_length": WIDTH,
            "llama.block_count": layers,
            "llama.feed_forward_length": 2 * WIDTH,
            "llama.attention.head_count": 4,
            "llama.attention.head_count_kv": 2,
            "llama.rope.dimension_count": WIDTH // 4,
            "llama.attention.layer_norm_rms_epsilon": 1e-5,
            "llama.vocab_size": VOCABULARY,
            "tokenizer.ggml.model": "llama",
            "tokenizer.ggml.tokens": VOCABULARY,
        },
        "tensors": "".join(f"F32 {'x'.join(map(str, shape))} {name}.weight\n" for name, shape in tensors),
    }
