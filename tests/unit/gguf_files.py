# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes GGUF files for tests: real headers, tensor data as holes, so that a 300 GB model takes a few KB of disk."""

from __future__ import annotations

import struct
import typing as t
from pathlib import Path

from ansible_collections.prositronic.infra.plugins.module_utils.ggml_types import (
    ggml_type,
    tensor_bytes,
)

UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64, FLOAT64 = range(13)

_NUMBERS = {
    UINT8: "B",
    INT8: "b",
    UINT16: "H",
    INT16: "h",
    UINT32: "I",
    INT32: "i",
    FLOAT32: "f",
    BOOL: "?",
    UINT64: "Q",
    INT64: "q",
    FLOAT64: "d",
}


class Typed(t.NamedTuple):
    """A metadata value of a chosen GGUF type; `element` is that of an array's elements."""

    value: t.Any
    kind: int
    element: int = UINT32


class TensorSpec(t.NamedTuple):
    """A tensor to write. `offset` and `type_id` override what follows from the rest, for files that lie."""

    type: str
    shape: tuple[int, ...]
    name: str
    offset: int | None = None
    type_id: int | None = None


def typed(value: t.Any) -> Typed:
    """The GGUF type that llama.cpp's converter would choose for a Python value."""
    if isinstance(value, Typed):
        return value
    if isinstance(value, bool):
        return Typed(value, BOOL)
    if isinstance(value, int):
        return Typed(value, INT32 if value < 0 else UINT32 if value < 2**32 else UINT64)
    if isinstance(value, float):
        return Typed(value, FLOAT32)
    if isinstance(value, (str, bytes)):
        return Typed(value, STRING)
    return Typed(value, ARRAY, typed(value[0]).kind if value else INT32)


def string(text: str | bytes, order: str = "<") -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(f"{order}Q", len(raw)) + raw


def pair(key: str | bytes, value: t.Any, order: str = "<") -> bytes:
    """A key with its value, as in a header."""
    value, kind, element = typed(value)
    start = string(key, order) + struct.pack(f"{order}I", kind)
    if kind == STRING:
        return start + string(value, order)
    if kind == ARRAY:
        start += struct.pack(f"{order}IQ", element, len(value))
        if element == STRING:
            return start + b"".join(string(item, order) for item in value)
        return start + struct.pack(f"{order}{len(value)}{_NUMBERS[element]}", *value)
    return start + struct.pack(f"{order}{_NUMBERS[kind]}", value)


def header(
    metadata: t.Mapping[str, t.Any] | t.Sequence[tuple[t.Any, t.Any]] = (),
    tensors: t.Iterable[t.Sequence[t.Any]] = (),
    version: int = 3,
    n_keys: int | None = None,
    n_tensors: int | None = None,
    order: str = "<",
) -> tuple[bytes, int]:
    """A header, padded to where tensor data starts, and the size in bytes of the whole file.

    `n_keys` and `n_tensors` are what the header announces, if not the truth; `order` is `>` for big-endian.
    """
    pairs = list(metadata.items() if isinstance(metadata, t.Mapping) else metadata)
    specs = [TensorSpec(*tensor) for tensor in tensors]
    alignment = next((typed(value).value for key, value in pairs if key == "general.alignment"), 32)
    alignment = alignment if isinstance(alignment, int) and alignment > 0 else 32
    data = b"GGUF" + struct.pack(
        f"{order}IQQ",
        version,
        len(specs) if n_tensors is None else n_tensors,
        len(pairs) if n_keys is None else n_keys,
    )
    data += b"".join(pair(key, value, order) for key, value in pairs)
    offset = end = 0
    for spec in specs:
        data += string(spec.name, order) + struct.pack(f"{order}I", len(spec.shape))
        data += struct.pack(
            f"{order}{len(spec.shape)}QIQ",
            *spec.shape,
            ggml_type(spec.type).id if spec.type_id is None else spec.type_id,
            offset if spec.offset is None else spec.offset,
        )
        end = offset + tensor_bytes(spec.type, spec.shape)
        offset = end + -end % alignment
    data += bytes(-len(data) % alignment)
    return data, len(data) + end


def write(path: Path, *args: t.Any, size_bytes: int | None = None, **kwargs: t.Any) -> Path:
    """Write :func:`header`'s file to `path`, with holes for the tensors, cut or extended to `size_bytes` if given."""
    data, full_size = header(*args, **kwargs)
    with open(path, "wb") as file:
        file.write(data)
        file.truncate(full_size if size_bytes is None else size_bytes)
    return path


def write_split(
    directory: Path,
    prefix: str,
    metadata: t.Mapping[str, t.Any],
    parts: t.Sequence[t.Sequence[t.Sequence[t.Any]]],
    changes: t.Mapping[int, t.Mapping[str, t.Any]] | None = None,
) -> list[Path]:
    """Write a model in parts as llama-gguf-split does: `parts` are the tensors of each, metadata is in the first.

    `changes` are other values for keys of the part of that index (from 0); None leaves a key out.
    """
    total = sum(map(len, parts))
    paths = []
    for index, tensors in enumerate(parts):
        own = {
            **(metadata if index == 0 else {}),
            "split.no": Typed(index, UINT16),
            "split.count": Typed(len(parts), UINT16),
            "split.tensors.count": Typed(total, INT32),
            **(changes or {}).get(index, {}),
        }
        own = {key: value for key, value in own.items() if value is not None}
        path = directory / f"{prefix}-{index + 1:05}-of-{len(parts):05}.gguf"
        paths.append(write(path, own, tensors))
    return paths


def large_vocabulary(tensors: int = 1000, tokens: int = 129280, merges: int = 127741) -> tuple[dict, list]:
    """Metadata and tensors of a header of the size that DeepSeek-V3's has."""
    metadata = {
        "general.architecture": "deepseek2",
        "general.name": "Large Vocabulary",
        "general.file_type": 15,
        "deepseek2.block_count": 61,
        "deepseek2.context_length": 163840,
        "deepseek2.embedding_length": 7168,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": [f"token{index:x}" for index in range(tokens)],
        "tokenizer.ggml.token_type": Typed([1] * tokens, ARRAY, INT32),
        "tokenizer.ggml.merges": [f"mer{index:x} ge{index % 97}" for index in range(merges)],
        "tokenizer.chat_template": "{% for message in messages %}{{ message }}{% endfor %}" * 100,
    }
    return metadata, [("Q4_K", (7168, 2048), f"blk.{index}.ffn_up.weight") for index in range(tensors)]
