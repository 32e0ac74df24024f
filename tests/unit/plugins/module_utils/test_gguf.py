# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model's files: which they are, whether they belong together, and the value they become."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils import gguf
from ansible_collections.prositronic.infra.plugins.module_utils.gguf_header import GGUFError
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.from_gguf import from_gguf
from ansible_collections.prositronic.infra.tests.unit import gguf_files as files
from ansible_collections.prositronic.infra.tests.unit.gguf_files import Typed

METADATA = {
    "general.architecture": "qwen3",
    "general.name": "Three Parts",
    "general.file_type": 15,
    "qwen3.block_count": 2,
}
PARTS = [
    [("Q4_K", (256, 8), "token_embd.weight")],
    [("F32", (5,), "blk.0.attn_norm.weight"), ("Q6_K", (512, 2), "blk.0.ffn_down.weight")],
    [("F16", (7, 3), "output.weight")],
]


def error_of(path) -> str:
    with pytest.raises(GGUFError) as caught:
        gguf.read(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def parts(tmp_path):
    return files.write_split(tmp_path, "three", METADATA, PARTS)


class TestWholeModels:
    def test_a_file(self, tmp_path):
        path = files.write(tmp_path / "m.gguf", METADATA, PARTS[0])
        assert gguf.read(str(path)).value() == {
            "schema": 1,
            "files": [{"path": str(path), "size_bytes": path.stat().st_size}],
            "version": 3,
            "alignment": 32,
            "metadata": METADATA,
            "tensors": "Q4_K 256x8 token_embd.weight\n",
        }

    @pytest.mark.parametrize("given", [0, 1, 2])
    def test_any_part_stands_for_all(self, parts, given):
        value = gguf.read(str(parts[given])).value()
        assert [file["path"] for file in value["files"]] == [str(part) for part in parts]
        assert value["metadata"].items() >= METADATA.items()
        assert [line.split()[-1] for line in value["tensors"].splitlines()] == [
            "token_embd.weight",
            "blk.0.attn_norm.weight",
            "blk.0.ffn_down.weight",
            "output.weight",
        ]

    def test_its_summary(self, parts):
        assert gguf.read(str(parts[0])).summary() == {
            "architecture": "qwen3",
            "name": "Three Parts",
            "parameters": 2048 + 5 + 1024 + 21,
            "quant": "Q4_K_M",
            "tensor_bytes": 8 * 144 + 20 + 4 * 210 + 42,
            "file_bytes": sum(part.stat().st_size for part in parts),
        }

    def test_the_engine_takes_its_value(self, parts):
        model = from_gguf(gguf.read(str(parts[0])).value())
        assert [(tensor.name, tensor.shape, tensor.type) for tensor in model.tensors] == [
            (name, shape, kind) for part in PARTS for kind, shape, name in part
        ]
        assert (model.architecture, model.name, model.quant) == ("qwen3", "Three Parts", "Q4_K_M")
        assert [file.path for file in model.files] == [str(part) for part in parts]

    def test_what_a_file_does_not_say_is_null(self, tmp_path):
        path = files.write(tmp_path / "m.gguf", {"general.name": 5, "general.file_type": "Q4_K_M"})
        said = gguf.read(str(path)).summary()
        assert (said["architecture"], said["name"], said["quant"]) == (None, None, None)

    def test_a_model_split_into_one_part(self, tmp_path):
        (path,) = files.write_split(tmp_path, "m", METADATA, [PARTS[0]])
        assert path.name == "m-00001-of-00001.gguf"
        assert len(gguf.read(str(path)).value()["files"]) == 1

    def test_the_first_part_may_hold_metadata_alone(self, tmp_path):
        parts = files.write_split(tmp_path, "m", METADATA, [[], *PARTS])
        assert len(gguf.read(str(parts[0])).value()["tensors"].splitlines()) == 4

    def test_parts_behind_links_are_found_by_the_names_of_the_links(self, tmp_path, parts):
        snapshot = tmp_path / "snapshot"
        snapshot.mkdir()
        for index, part in enumerate(parts):
            part.rename(tmp_path / f"blob{index}")
            (snapshot / part.name).symlink_to(tmp_path / f"blob{index}")
        value = gguf.read(str(snapshot / parts[0].name)).value()
        assert value["files"][2]["path"] == str(snapshot / parts[2].name)

    def test_a_relative_path_becomes_absolute(self, tmp_path, monkeypatch):
        path = files.write(tmp_path / "m.gguf", METADATA)
        monkeypatch.chdir(tmp_path)
        assert gguf.read("m.gguf").value()["files"][0]["path"] == str(path)


class TestDirectories:
    def test_with_one_model_and_its_projector(self, tmp_path, parts):
        files.write(tmp_path / "mmproj-F16.gguf", {"general.architecture": "clip"})
        (tmp_path / "README.md").write_text("a model")
        assert len(gguf.read(str(tmp_path)).value()["files"]) == 3

    def test_with_several(self, tmp_path, parts):
        files.write(tmp_path / "other.gguf", METADATA)
        assert error_of(tmp_path) == (
            f"{tmp_path} holds 2 models (other.gguf, three-00001-of-00003.gguf): give the path of one file."
        )

    def test_with_none(self, tmp_path):
        files.write(tmp_path / "mmproj.gguf", METADATA)
        assert f"{tmp_path} holds no model" in error_of(tmp_path)

    def test_called_like_a_model(self, tmp_path):
        (tmp_path / "m.gguf").mkdir()
        assert "m.gguf holds no model" in error_of(tmp_path / "m.gguf")


class TestPartsThatDoNotFit:
    def test_a_missing_part_is_named(self, parts):
        parts[1].unlink()
        assert error_of(parts[0]) == (
            f"{parts[0]} needs all 3 parts of its model in the same directory: three-00002-of-00003.gguf missing."
        )

    def test_many_missing_parts_are_counted(self, tmp_path):
        path = files.write(tmp_path / "m-00001-of-00020.gguf")
        message = error_of(path)
        assert "m-00006-of-00020.gguf and 14 more missing" in message
        assert "m-00007" not in message

    def test_a_missing_part_is_found_by_directory_too(self, tmp_path, parts):
        parts[0].unlink()
        assert "three-00001-of-00003.gguf missing" in error_of(tmp_path)

    def test_a_part_cut_short(self, parts):
        size = parts[2].stat().st_size
        os.truncate(parts[2], size - 10)
        assert f"{parts[2]} holds {size - 10} of the {size} bytes" in error_of(parts[0])

    @pytest.mark.parametrize(
        ("part", "changes", "said"),
        [
            (0, {"split.count": Typed(4, files.UINT16)}, "says split.count 4, where .* make it 3"),
            (2, {"split.count": Typed(9, files.UINT16)}, "says split.count 9, where .* make it 3"),
            (0, {"split.count": None}, "says split.count nothing, where .* make it 3"),
            (1, {"split.no": Typed(2, files.UINT16)}, "says split.no 2, where .* make it 1"),
            (1, {"split.no": None}, "says split.no nothing, where .* make it 1"),
            (0, {"split.tensors.count": 5}, "says split.tensors.count 5, where .* make it 4"),
            (1, {"split.tensors.count": 3}, "says split.tensors.count 3, where .* make it 4"),
            (1, {"general.architecture": "llama"}, "says general.architecture 'llama', where .* make it 'qwen3'"),
        ],
    )
    def test_contradictions_name_the_part(self, tmp_path, part, changes, said):
        parts = files.write_split(tmp_path, "m", METADATA, PARTS, {part: changes})
        with pytest.raises(GGUFError, match=f"^{parts[part]} {said}"):
            gguf.read(str(parts[0]))

    def test_later_parts_need_only_their_number(self, tmp_path):
        less = {"split.count": None, "split.tensors.count": None}
        parts = files.write_split(tmp_path, "m", METADATA, PARTS, {1: less, 2: less})
        assert len(gguf.read(str(parts[0])).value()["files"]) == 3

    def test_a_tensor_in_two_parts(self, tmp_path):
        parts = files.write_split(tmp_path, "m", METADATA, [PARTS[0], PARTS[0]])
        assert "hold the tensor 'token_embd.weight' twice" in error_of(parts[0])

    def test_a_part_under_another_name(self, tmp_path, parts):
        renamed = parts[0].rename(tmp_path / "model.gguf")
        message = error_of(renamed)
        assert "is a part of a model split into 3 files" in message
        assert "-00001-of-00003.gguf" in message

    def test_a_split_count_that_is_no_number(self, tmp_path):
        assert "split.count that is not a number" in error_of(files.write(tmp_path / "m.gguf", {"split.count": "3"}))

    @pytest.mark.parametrize("name", ["m-00004-of-00003.gguf", "m-00000-of-00003.gguf", "m-00001-of-99999.gguf"])
    def test_numbers_no_part_has(self, tmp_path, name):
        assert "parts are numbered from 1" in error_of(files.write(tmp_path / name))


class TestPaths:
    @pytest.mark.parametrize("name", ["absent.gguf", "absent-00001-of-00003.gguf"])
    def test_nothing_there(self, tmp_path, name):
        assert error_of(tmp_path / name) == f"{tmp_path / name} cannot be read: No such file or directory."

    def test_a_link_to_nothing_names_its_target(self, tmp_path):
        (tmp_path / "m.gguf").symlink_to("../blobs/abc")
        assert "it is a link to ../blobs/abc, which does not exist" in error_of(tmp_path / "m.gguf")

    def test_a_link_to_itself(self, tmp_path):
        (tmp_path / "m.gguf").symlink_to("m.gguf")
        assert "cannot be read: Too many levels of symbolic links" in error_of(tmp_path / "m.gguf")

    @pytest.mark.parametrize("path", ["", "a\0b"])
    def test_no_path(self, path):
        assert error_of(path).startswith("The path is empty or holds a NUL")

    def test_a_named_pipe_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "m.gguf")
        assert "is a named pipe, not a file" in error_of(tmp_path / "m.gguf")

    @pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
    def test_a_device_is_not_read(self, device):
        assert error_of(device) == f"{device} is a character device, not a file: give the path of a GGUF file."

    def test_a_socket(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("m.gguf")
            assert "is a socket, not a file" in error_of(tmp_path / "m.gguf")

    def test_without_permission(self, tmp_path, monkeypatch):
        path = files.write(tmp_path / "m.gguf", METADATA)

        def refuse(*args):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)  # root may read what it likes
        assert error_of(path) == f"{path} cannot be read: Permission denied."

    def test_a_read_error_of_the_disk(self, tmp_path, monkeypatch):
        path = files.write(tmp_path / "m.gguf", METADATA)

        def fail(*args):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "pread", fail)
        assert error_of(path) == f"{path} cannot be read: Input/output error."

    def test_files_are_closed(self, tmp_path, parts):
        before = len(os.listdir("/proc/self/fd"))
        gguf.read(str(parts[0]))
        (tmp_path / "bad.gguf").write_bytes(b"bad")
        error_of(tmp_path / "bad.gguf")
        assert len(os.listdir("/proc/self/fd")) == before
