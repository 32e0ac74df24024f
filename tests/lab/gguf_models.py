# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small GGUF models that llama-server really loads and that really answer (nonsense): random weights of a llama.

The same arguments give the same bytes, so that a download's checksum is known and a changed model differs.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

CHAT_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def _vocabulary() -> tuple[list[bytes], list[float], list[int]]:
    """A SentencePiece vocabulary without merges: every text becomes its bytes."""
    kinds = gguf.TokenType
    tokens = [(b"<unk>", kinds.UNKNOWN), (b"<s>", kinds.CONTROL), (b"</s>", kinds.CONTROL)]
    tokens += [(f"<0x{byte:02X}>".encode(), kinds.BYTE) for byte in range(256)]
    tokens += [(chr(letter).encode(), kinds.NORMAL) for letter in range(ord("a"), ord("z") + 1)]
    tokens.append(("\u2581".encode(), kinds.NORMAL))  # SentencePiece's space
    return [token for token, _ in tokens], [0.0] * len(tokens), [int(kind) for _, kind in tokens]


def write_random_llama(
    path: Path,
    *,
    name: str = "Random llama",
    seed: int = 1,
    layers: int = 2,
    context: int = 2048,
    embedding: int = 64,
    tensors_per_file: int = 0,
) -> Path:
    """Write a llama with random F32 weights (about 0.5 MB at the defaults); returns the file to load.

    embedding: width of the model, a multiple of 32; size grows with its square.
    tensors_per_file: 0 is one file; else the model comes in parts, NAME-00001-of-00003.gguf and so on.
    """
    heads, kv_heads, feed_forward = 4, 2, 2 * embedding
    tokens, scores, kinds = _vocabulary()
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=tensors_per_file)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(context)
    writer.add_embedding_length(embedding)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(embedding // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)
    random = np.random.default_rng(seed)

    def weights(tensor: str, rows: int, columns: int) -> None:
        spread = 1 / np.sqrt(columns)
        writer.add_tensor(
            f"{tensor}.weight", random.standard_normal((rows, columns), dtype=np.float32) * np.float32(spread)
        )

    def norm(tensor: str) -> None:
        writer.add_tensor(f"{tensor}.weight", np.ones(embedding, dtype=np.float32))

    kv_width = embedding // heads * kv_heads
    weights("token_embd", len(tokens), embedding)
    for layer in range(layers):
        block = f"blk.{layer}"
        norm(f"{block}.attn_norm")
        weights(f"{block}.attn_q", embedding, embedding)
        weights(f"{block}.attn_k", kv_width, embedding)
        weights(f"{block}.attn_v", kv_width, embedding)
        weights(f"{block}.attn_output", embedding, embedding)
        norm(f"{block}.ffn_norm")
        weights(f"{block}.ffn_gate", feed_forward, embedding)
        weights(f"{block}.ffn_up", feed_forward, embedding)
        weights(f"{block}.ffn_down", embedding, feed_forward)
    norm("output_norm")
    weights("output", len(tokens), embedding)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return min(path.parent.glob(f"{path.stem}-*-of-*.gguf")) if tensors_per_file else path
