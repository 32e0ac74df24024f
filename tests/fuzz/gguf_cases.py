# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The headers that the fuzzer tries: valid ones, changes to them, invented ones, and the largest there may be."""

from __future__ import annotations

import random
import re
import struct
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.prositronic.infra.tests.unit import gguf_files as files
from ansible_collections.prositronic.infra.tests.unit.gguf_files import Typed

Content = tuple[bytes, int]  # a header and the size of its file

ABSURD = (
    0, 1, 2, 3, 4, 8, 12, 13, 31, 32, 33, 64, 255, 256, 1024, 1025, 4096, 65535, 65536, 2**24, 2**31 - 1, 2**31,
    2**32 - 1, 2**32, 2**40, 2**60, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1,
)  # fmt: skip


def seeds() -> list[Content]:
    """Valid headers, small, one for each kind of thing a header can hold."""
    llama = {
        "general.architecture": "llama",
        "general.name": "Seed",
        "general.file_type": 15,
        "llama.block_count": 4,
        "llama.rope.freq_base": 500000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": [f"t{index}" for index in range(40)],
        "tokenizer.ggml.scores": Typed([0.5] * 40, files.ARRAY, files.FLOAT32),
        "tokenizer.ggml.merges": [f"a b{index}" for index in range(30)],
        "tokenizer.chat_template": "{{ messages }}" * 10,
    }
    every_type = {
        f"k{kind}": Typed(True if kind == files.BOOL else 1, kind)
        for kind in range(13)
        if kind not in (files.STRING, files.ARRAY)
    }
    arrays = {
        f"a{kind}": Typed([1, 0, 1], files.ARRAY, kind) for kind in range(13) if kind not in (files.STRING, files.ARRAY)
    }
    long = {"general.tags": ["x"] * 1030, "general.description": "d" * 1500, "tokenizer.huggingface.json": "{}" * 900}
    layers = [
        tensor
        for index in range(4)
        for tensor in (
            ("Q4_K", (256, 4), f"blk.{index}.attn_q.weight"),
            ("F32", (16,), f"blk.{index}.attn_norm.weight"),
            ("Q6_K", (256, 2, 3), f"blk.{index}.ffn_down_exps.weight"),
        )
    ]
    return [
        files.header(llama, layers),
        files.header({**llama, "general.alignment": 64}, layers[:3], version=2),
        files.header({**every_type, **arrays}, [("F16", (7, 3, 2, 2), "w"), ("F32", (), "scalar")]),
        files.header(long, [("Q4_K", (8192, 2**20), f"blk.{index}.weight") for index in range(3)]),
        files.header(llama),
        files.header(),
    ]


def parts() -> list[Content]:
    """A valid model in two parts."""
    with tempfile.TemporaryDirectory() as directory:
        written = files.write_split(
            Path(directory),
            "m",
            {"general.architecture": "llama", "general.alignment": 32},
            [[("F32", (4,), "a")], [("F32", (4,), "b"), ("Q8_0", (32, 2), "c")]],
        )
        return [(path.read_bytes(), path.stat().st_size) for path in written]


def corners() -> t.Iterator[tuple[str, Content]]:
    """The largest headers that are read to their end before they are refused or accepted."""

    def one_key(kind: int, count: int, total: int) -> Content:
        start = files.header(n_keys=1)[0][:24] + files.string("tokenizer.x")
        return start + struct.pack("<IIQ", files.ARRAY, kind, count), total

    def many_numbers(keys: int) -> Content:
        tail = files.pair("", Typed([1] * 1024, files.ARRAY, files.UINT8))[8:]
        start = files.header(n_keys=keys)[0][:24]
        data = start + b"".join(files.string(str(index)) + tail for index in range(keys))
        return data, len(data)

    mib = 1024**2
    yield "16 million empty strings", one_key(files.STRING, 16 * mib - 10, 2**40)
    yield "more strings than a header may have", one_key(files.STRING, 2**33, 2**40)
    yield "a string array over holes, cut", one_key(files.STRING, 15 * mib, 121 * mib)
    yield "numbers up to the limit", one_key(files.UINT64, 15 * mib, 2**40)
    yield "many keys", files.header({f"{index:x}": Typed(1, files.UINT8) for index in range(190_000)})
    yield "many long names", files.header({f"{index:060000}": Typed(1, files.UINT8) for index in range(69)})
    yield "many numbers", many_numbers(3900)
    yield "more numbers than are kept", many_numbers(45_000)
    yield "many short strings", files.header({str(index): [b"ab"] * 1024 for index in range(390)})
    yield "many tensors", files.header((), [("F32", (1, 1, 1, 1), f"{index:x}") for index in range(65_000)])
    yield "a real vocabulary", files.header(*files.large_vocabulary())


def mutated(rng: random.Random, content: Content, pool: t.Sequence[Content]) -> Content:
    """One to four changes to a header, and now and then to the size of its file."""
    data, size = bytearray(content[0]), content[1]
    for _dummy in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(9)
        if kind == 0 and data:
            for _dummy in range(rng.choice((1, 1, 2, 8))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            data[at : at + 4] = struct.pack("<I", rng.choice(ABSURD) & 0xFFFFFFFF)
        elif kind == 3:
            # Where a small number stands it is a length, a count, a dimension or an offset: make it another.
            lengths = _lengths(data)
            at = rng.choice(lengths) if lengths else 0
            data[at : at + 8] = struct.pack("<Q", rng.choice((*ABSURD, len(data), size, size - len(data))) % 2**64)
        elif kind == 4:
            data[at:] = b""
            size = min(size, at + rng.choice((0, 0, 7, 1000)))
        elif kind == 5:
            other = rng.choice(pool)[0]
            start = rng.randrange(len(other))
            data[at : at + rng.choice((0, 40))] = other[start : start + rng.randrange(1, 200)]
        elif kind == 6:
            del data[at : at + rng.randrange(1, 40)]
        elif kind == 7:
            data[at:at] = data[at : at + rng.randrange(1, 100)]
        else:
            size = rng.choice((size - 1, size + 1, len(data), rng.randrange(2 * max(size, 1)), 2**20))
    return bytes(data), max(size, len(data))


def _lengths(data: bytes | bytearray) -> list[int]:
    """Offsets of what may be 64-bit numbers: a byte or two, then zeros."""
    return [found.start() for found in re.finditer(rb"(?=[^\0][\0-\x10]\0{6})", data)]


def invented(rng: random.Random) -> Content:
    """A header with the right structure and wrong things in it."""

    def number() -> int:
        return rng.choice(ABSURD) if rng.random() < 0.1 else rng.randrange(40)

    def name() -> bytes:
        text = rng.choice(
            (b"a", b"b", b"general.alignment", b"split.count", b"tokenizer.x", b"k%d" % rng.randrange(99))
        )
        lie = number() if rng.random() < 0.02 else len(text)
        return struct.pack("<Q", lie) + text

    def value() -> bytes:
        kind = rng.randrange(14)
        if kind == files.STRING:
            return struct.pack("<I", kind) + name()
        if kind == files.ARRAY:
            element, count = rng.randrange(13), number()
            body = name() if element == files.STRING else rng.randbytes(rng.choice((1, 2, 4, 8)))
            return struct.pack("<IIQ", kind, element, count) + body * min(count, 2000)
        return struct.pack("<I", kind) + rng.randbytes(rng.choice((1, 2, 4, 8)))

    def tensor() -> bytes:
        dimensions = rng.choice((0, 1, 1, 2, 3, 4, rng.choice(ABSURD) & 0xFFFFFFFF))
        shape = [rng.choice((32, 256, number())) for _dummy in range(min(dimensions, 5))]
        kind = rng.choice((0, 1, 8, 12, rng.randrange(50)))
        return name() + struct.pack(f"<I{len(shape)}QIQ", dimensions, *shape, kind, number() * 32 % 2**64)

    n_keys, n_tensors = rng.randrange(6), rng.randrange(4)
    data = b"".join(
        [
            b"GGUF",
            struct.pack("<IQQ", rng.choice((2, 3, 3)), n_tensors, n_keys),
            *(name() + value() for _dummy in range(n_keys)),
            *(tensor() for _dummy in range(n_tensors)),
        ]
    )
    return data, len(data) + rng.choice((0, 32, 4096, 2**20))
