# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file's header: what is in it, and what is said of a file that is none."""

from __future__ import annotations

import math
import os
import struct

import gguf as published
import numpy
import pytest
from ansible_collections.prositronic.infra.plugins.module_utils import gguf, gguf_header
from ansible_collections.prositronic.infra.tests.unit import gguf_files as files
from ansible_collections.prositronic.infra.tests.unit.gguf_files import Typed

TENSORS = [
    ("Q4_K", (256, 8), "token_embd.weight"),
    ("F32", (5,), "output_norm.weight"),
    ("Q6_K", (512, 2, 3), "blk.0.ffn_down_exps.weight"),
]
METADATA = {"general.architecture": "llama", "llama.block_count": 1}


def read(path) -> dict:
    return gguf.read(str(path)).value()


def summary(path) -> dict:
    return gguf.read(str(path)).summary()


def error_of(path) -> str:
    with pytest.raises(gguf_header.GGUFError) as caught:
        gguf.read(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) - len(str(path)) < 400
    return message


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [
            Typed(255, files.UINT8),
            Typed(-128, files.INT8),
            Typed(65535, files.UINT16),
            Typed(-32768, files.INT16),
            Typed(2**32 - 1, files.UINT32),
            Typed(-(2**31), files.INT32),
            Typed(0.5, files.FLOAT32),
            Typed(True, files.BOOL),
            Typed(False, files.BOOL),
            Typed("naïve 模型", files.STRING),
            Typed("", files.STRING),
            Typed(2**64 - 1, files.UINT64),
            Typed(-(2**63), files.INT64),
            Typed(0.1, files.FLOAT64),
            Typed([1, -2, 3], files.ARRAY, files.INT32),
            Typed([True, False], files.ARRAY, files.BOOL),
            Typed(["en", "de"], files.ARRAY, files.STRING),
            Typed([], files.ARRAY, files.STRING),
            Typed([0.25] * 1024, files.ARRAY, files.FLOAT32),
        ],
    )
    def test_a_value_of_every_type_is_kept(self, tmp_path, value):
        path = files.write(tmp_path / "m.gguf", {"some.key": value})
        kept = read(path)["metadata"]["some.key"]
        assert kept == value.value
        assert type(kept) is type(value.value)

    @pytest.mark.parametrize(
        ("key", "value", "length"),
        [
            ("tokenizer.ggml.tokens", ["a", "b", "c"], 3),
            ("tokenizer.ggml.scores", Typed([0.5] * 7, files.ARRAY, files.FLOAT32), 7),
            ("tokenizer.ggml.merges", Typed([], files.ARRAY, files.STRING), 0),
            ("general.tags", ["tag"] * 1025, 1025),
            ("llama.table", Typed([1] * 1025, files.ARRAY, files.UINT8), 1025),
            ("tokenizer.chat_template", "{{ x }}", 7),
            ("tokenizer.chat_template.tool_use", "é", 2),
            ("tokenizer.huggingface.json", "x" * 1_000_000, 1_000_000),
            ("general.description", "x" * 1025, 1025),
        ],
    )
    def test_what_is_long_or_the_tokenizer_s_is_replaced_by_its_length(self, tmp_path, key, value, length):
        path = files.write(tmp_path / "m.gguf", {key: value, "after": "it"})
        assert read(path)["metadata"] == {key: length, "after": "it"}

    def test_a_long_string_in_a_short_array_is_replaced_by_its_length(self, tmp_path):
        path = files.write(tmp_path / "m.gguf", {"general.datasets": ["short", "x" * 2000]})
        assert read(path)["metadata"]["general.datasets"] == ["short", 2000]

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_numbers_json_cannot_say_are_null(self, tmp_path, value):
        array = Typed([1.0, value], files.ARRAY, files.FLOAT64)
        path = files.write(tmp_path / "m.gguf", {"a": value, "b": array})
        assert read(path)["metadata"] == {"a": None, "b": [1.0, None]}

    def test_text_that_is_not_utf8_is_readable_text(self, tmp_path):
        path = files.write(tmp_path / "m.gguf", {"general.name": b"caf\xe9"})
        assert read(path)["metadata"]["general.name"] == "caf�"

    def test_strings_across_chunks_are_counted_and_passed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(gguf_header, "_CHUNK_BYTES", 64)
        lengths = [0, 1, 55, 56, 57, 63, 64, 65, 500] * 5
        path = files.write(
            tmp_path / "m.gguf",
            {"tokenizer.ggml.tokens": ["x" * length for length in lengths], "after": "it"},
            TENSORS,
        )
        value = read(path)
        assert value["metadata"] == {"tokenizer.ggml.tokens": 45, "after": "it"}
        assert len(value["tensors"].splitlines()) == 3


class TestTensors:
    def test_one_line_each_in_file_order(self, tmp_path):
        value = read(files.write(tmp_path / "m.gguf", METADATA, TENSORS))
        assert value["tensors"] == (
            "Q4_K 256x8 token_embd.weight\nF32 5 output_norm.weight\nQ6_K 512x2x3 blk.0.ffn_down_exps.weight\n"
        )

    def test_a_scalar_has_one_element(self, tmp_path):
        value = read(files.write(tmp_path / "m.gguf", METADATA, [("F32", (), "clamp")]))
        assert value["tensors"] == "F32 1 clamp\n"

    def test_a_vocabulary_file_has_none(self, tmp_path):
        assert read(files.write(tmp_path / "m.gguf", METADATA))["tensors"] == ""

    @pytest.mark.parametrize("alignment", [1, 8, 64, 4096])
    def test_alignment_moves_the_data(self, tmp_path, alignment):
        path = files.write(tmp_path / "m.gguf", {**METADATA, "general.alignment": alignment}, TENSORS)
        value = read(path)
        assert value["alignment"] == alignment
        assert len(value["tensors"].splitlines()) == 3

    def test_version_2_is_read(self, tmp_path):
        value = read(files.write(tmp_path / "m.gguf", METADATA, TENSORS, version=2))
        assert (value["version"], len(value["tensors"].splitlines())) == (2, 3)

    def test_a_file_of_300_gib_is_read_by_its_header(self, tmp_path):
        layer = [("Q4_K", (8192, 262144), f"blk.{index}.ffn_up_exps.weight") for index in range(270)]
        path = files.write(tmp_path / "m.gguf", METADATA, layer)
        value = read(path)
        assert value["files"][0]["size_bytes"] > 300 * 1024**3
        assert summary(path)["tensor_bytes"] == 270 * 262144 * 8192 // 256 * 144


class TestAgainstThePublishedLibrary:
    def test_a_file_it_wrote_reads_the_same(self, tmp_path):
        path = tmp_path / "m.gguf"
        writer = published.GGUFWriter(path, "llama")
        writer.add_name("Tiny")
        writer.add_block_count(2)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_head_count_kv([1, 2])
        writer.add_file_type(int(published.LlamaFileType.MOSTLY_Q8_0))
        writer.add_token_list(["a", "b", "c"])
        writer.add_chat_template("{{ messages }}")
        writer.add_tensor("f32.weight", numpy.ones((3, 64), dtype=numpy.float32))
        writer.add_tensor("f16.weight", numpy.ones((2, 3, 5), dtype=numpy.float16))
        quantised = published.quants.quantize(
            numpy.ones((3, 64), dtype=numpy.float32), published.GGMLQuantizationType.Q8_0
        )
        writer.add_tensor("q8.weight", quantised, raw_dtype=published.GGMLQuantizationType.Q8_0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        value = read(path)
        assert value["metadata"] == {
            "general.architecture": "llama",
            "general.name": "Tiny",
            "llama.block_count": 2,
            "llama.attention.layer_norm_rms_epsilon": pytest.approx(1e-5),
            "llama.attention.head_count_kv": [1, 2],
            "general.file_type": 7,
            "tokenizer.ggml.tokens": 3,
            "tokenizer.chat_template": 14,
        }
        assert value["tensors"] == "F32 64x3 f32.weight\nF16 5x3x2 f16.weight\nQ8_0 64x3 q8.weight\n"
        assert summary(path) == {
            "architecture": "llama",
            "name": "Tiny",
            "parameters": 192 + 30 + 192,
            "quant": "Q8_0",
            "tensor_bytes": 192 * 4 + 30 * 2 + 192 // 32 * 34,
            "file_bytes": path.stat().st_size,
        }

    def test_it_reads_what_the_tests_write(self, tmp_path):
        path = files.write(tmp_path / "m.gguf", {**METADATA, "general.alignment": 64}, TENSORS)
        reader = published.GGUFReader(path)
        assert reader.fields["general.architecture"].contents() == "llama"
        lines = "".join(
            f"{tensor.tensor_type.name} {'x'.join(str(size) for size in tensor.shape)} {tensor.name}\n"
            for tensor in reader.tensors
        )
        assert read(path)["tensors"] == lines
        last = reader.tensors[-1]
        assert last.data_offset + last.n_bytes == path.stat().st_size


DAMAGED = "incomplete or damaged, fetch the file again"


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "is empty"),
            (b"GG", "starts with the bytes 47 47, not with 47 47 55 46"),
            (b"GGUF", "ends after 4 bytes, within its version"),
            (b"GGUF\x03\0\0\0\x01", "within its counts of tensors and keys"),
            (b"FUGG" + bytes(40), "starts with the bytes 46 55 47 47"),
            (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer: fetch the file itself"),
            (b"<!doctype html><title>Sign in</title>", "a web page: download the file itself"),
            (b'{"error": "Repository not found"}', "JSON text"),
            (b"\x1f\x8b\x08" + bytes(40), "gzip data: unpack it"),
            (b"\x28\xb5\x2f\xfd" + bytes(40), "Zstandard data"),
            (b"PK\x03\x04" + bytes(40), "a ZIP archive"),
            (b"tjgg" + bytes(40), "a GGML file of 2023"),
            (struct.pack("<Q", 40) + b'{"__metadata__":{}}', "a safetensors file"),
            (bytes(4096), "zeros, as an unfinished download"),
            (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1, which llama.cpp does not read"),
            (b"GGUF" + struct.pack("<IQQ", 4, 0, 0), "version 4, which llama.cpp does not read"),
            (b"GGUF" + struct.pack("<IQQ", 0, 0, 0), "version 0, which llama.cpp does not read"),
            (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "announces 9223372036854775808 tensors and 0 keys"),
            (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**64 - 1), "0 tensors and 18446744073709551615 keys"),
        ],
    )
    def test_what_starts_otherwise(self, tmp_path, content, said):
        path = tmp_path / "m.gguf"
        path.write_bytes(content)
        assert said in error_of(path)

    @pytest.mark.parametrize("version", [1, 2, 3])
    def test_big_endian_is_called_so(self, tmp_path, version):
        path = files.write(tmp_path / "m.gguf", METADATA, TENSORS, version=version, order=">")
        assert f"is a big-endian GGUF file (version {version})" in error_of(path)

    @pytest.mark.parametrize(
        ("metadata", "said"),
        [
            ([("a", 1), ("b", 2), ("a", 3)], "has the key 'a' twice"),
            ({"": 1}, "has a name of 0 bytes for key 1 of 1"),
            ({"k" * 65536: 1}, "has a name of 65536 bytes for key 1 of 1"),
            ({"a\nb": 1}, "not printable UTF-8 for key 1 of 1"),
            ([(b"\xff", 1)], "not printable UTF-8 for key 1 of 1"),
            ({"general.alignment": 0}, "not a power of two"),
            ({"general.alignment": 48}, "not a power of two"),
            ({"general.alignment": Typed(32, files.UINT64)}, "not a power of two in 32 bits"),
            ({"general.alignment": "32"}, "not a power of two in 32 bits"),
        ],
    )
    def test_metadata(self, tmp_path, metadata, said):
        message = error_of(files.write(tmp_path / "m.gguf", metadata, TENSORS))
        assert said in message
        assert DAMAGED in message

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (struct.pack("<I", 13), "has the unknown type 13 for the value of 'k'"),
            (struct.pack("<IIQ", 9, 9, 1), "holds arrays in an array as the value of 'k'"),
            (struct.pack("<IIQ", 9, 99, 1), "has the unknown type 99 for the value of 'k'"),
            (struct.pack("<IIQ", 9, 99, 5000), "has the unknown type 99 for the value of 'k'"),
            (struct.pack("<IQ", 8, 2**63), "within the value of 'k'"),
            (struct.pack("<IQ", 8, 1000), "within the value of 'k'"),
            (struct.pack("<IIQ", 9, 8, 2**64 - 1), "within the value of 'k'"),
            (struct.pack("<IIQ", 9, 8, 2**61), "within the value of 'k'"),
            (struct.pack("<IIQQ", 9, 8, 3, 2**63), "within the value of 'k'"),
            (struct.pack("<IIQ", 9, 12, 2**61), "within the value of 'k'"),
            (struct.pack("<IIQ", 9, 0, 1000), "within the value of 'k'"),
            (struct.pack("<IIQQQ", 9, 8, 1025, 2**64 - 1, 0) + bytes(9000), "within the value of 'k'"),
        ],
    )
    def test_values(self, tmp_path, value, said):
        path = tmp_path / "m.gguf"
        path.write_bytes(files.header(n_keys=1)[0][:24] + files.string("k") + value)
        message = error_of(path)
        assert said in message
        assert DAMAGED in message

    @pytest.mark.parametrize(
        ("tensors", "said"),
        [
            ([("F32", (4,), "a"), ("F32", (4,), "a")], "has the tensor 'a' twice"),
            ([("F32", (4,), "n" * 64)], "has a name of 64 bytes for tensor 1 of 1, where 1 to 63"),
            ([("F32", (4,), "a\u2028b")], "not printable UTF-8 for tensor 1 of 1"),
            ([("F32", (1, 2, 3, 4, 5), "a")], "has the tensor 'a' with 5 dimensions"),
            ([("F32", (4, 0), "a")], "has the tensor 'a' of the impossible shape 4x0"),
            ([("F32", (2**32, 2**31), "a")], "of the impossible shape 4294967296x2147483648"),
            ([("F32", (2**64 - 1,), "a")], "of the impossible shape 18446744073709551615"),
            ([("F32", (4,), "a", 0, 12)], "a row of 4 elements cannot be Q4_K, whose blocks hold 256"),
            ([("F32", (4,), "a"), ("F32", (4,), "b", 0)], "has the tensor 'b' at offset 0 of its data"),
            ([("F32", (4,), "a"), ("F32", (4,), "b", 64)], "where the tensors before it end at 32"),
            ([("F32", (4,), "a", 2**64 - 32)], "has the tensor 'a' at offset 18446744073709551584"),
        ],
    )
    def test_tensors(self, tmp_path, tensors, said):
        message = error_of(files.write(tmp_path / "m.gguf", METADATA, tensors, size_bytes=100_000))
        assert said in message
        assert DAMAGED in message

    @pytest.mark.parametrize(
        ("number", "said"),
        [
            (4, "in the type Q4_2, which llama.cpp has dropped"),
            (31, "Q4_0_4_4"),
            (43, "in type 43"),
            (2**32 - 1, "type 4294967295"),
        ],
    )
    def test_types_llama_cpp_does_not_have(self, tmp_path, number, said):
        path = files.write(tmp_path / "m.gguf", METADATA, [("F32", (256,), "a", 0, number)])
        message = error_of(path)
        assert said in message
        assert "use a file made for current llama.cpp" in message

    def test_an_interrupted_download_names_both_sizes(self, tmp_path):
        _data, size = files.header(METADATA, TENSORS)
        path = files.write(tmp_path / "m.gguf", METADATA, TENSORS, size_bytes=size - 1)
        assert error_of(path) == (
            f"{path} holds {size - 1} of the {size} bytes that its tensors need: "
            "the download is incomplete, fetch the file again."
        )

    def test_padding_after_the_last_tensor_is_no_data(self, tmp_path):
        _data, size = files.header(METADATA, TENSORS)
        read(files.write(tmp_path / "exact.gguf", METADATA, TENSORS, size_bytes=size))
        read(files.write(tmp_path / "padded.gguf", METADATA, TENSORS, size_bytes=size + 31))

    def test_a_header_cut_anywhere_is_an_error(self, tmp_path):
        data, _size = files.header({**METADATA, "tokenizer.ggml.tokens": ["a", "bc"]}, TENSORS)
        for length in range(len(data)):
            path = tmp_path / "m.gguf"
            path.write_bytes(data[:length])
            error_of(path)


class TestBounds:
    def test_a_header_that_never_ends(self, tmp_path):
        # 2^33 empty strings, as zeros that take no disk.
        start = files.header(n_keys=1)[0][:24] + files.string("k") + struct.pack("<IIQ", 9, 8, 2**33)
        path = tmp_path / "m.gguf"
        path.write_bytes(start)
        os.truncate(path, 100 * 1024**3)
        assert "has a header of more than 128 MiB" in error_of(path)

    def test_a_description_too_long_to_keep(self, tmp_path):
        # 5,000 arrays of 1,024 bytes: each short, together more than facts should hold.
        metadata = {f"k{index}": Typed([1] * 1024, files.ARRAY, files.UINT8) for index in range(5000)}
        assert "more than 4 MiB beside the tokenizer" in error_of(files.write(tmp_path / "m.gguf", metadata))

    def test_the_allowance_is_the_model_s_not_each_part_s(self, tmp_path):
        metadata = {f"k{index}": Typed([1] * 1024, files.ARRAY, files.UINT8) for index in range(2500)}
        parts = files.write_split(tmp_path, "m", metadata, [[], []], {1: metadata})
        assert f"{parts[1]} describes its model in more than 4 MiB" in error_of(parts[0])

    def test_a_file_that_shrinks_while_it_is_read(self, tmp_path, monkeypatch):
        path = files.write(tmp_path / "m.gguf", METADATA, TENSORS)
        real = os.pread

        def of_60_bytes(file, count, offset):
            return real(file, min(count, 40, max(0, 60 - offset)), offset)

        monkeypatch.setattr(os, "pread", of_60_bytes)
        assert "within" in error_of(path)
