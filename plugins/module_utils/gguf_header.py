# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The header of one GGUF file.

Layout (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): magic, version, number of tensors, number of keys,
the keys with their values, the tensors (name, dimensions, type, offset), padding to the alignment, tensor data. What
llama.cpp refuses to load (`ggml/src/gguf.cpp`, 0.7.0) is an error here too, and says so in words.

The file is untrusted: every length in it is checked against what the file can hold before it is believed, and
:class:`Allowance` bounds time and memory whatever the file says.
"""

from __future__ import annotations

import math
import os
import struct
import typing as t

from .ggml_types import GGML_TYPE_BY_ID, REMOVED_GGML_TYPES, tensor_bytes

# Strings and arrays longer than this (bytes, elements) are given as their length.
LONG_VALUE = 1024

_MIB = 1024**2
_MAX_HEADER_BYTES = 128 * _MIB
_MAX_KEPT_BYTES = 4 * _MIB
_CHUNK_BYTES = 256 * 1024
_DEFAULT_ALIGNMENT = 32
_MAX_KEY_BYTES = 65535
_MAX_TENSOR_NAME_BYTES = 63  # GGML_MAX_NAME less the closing NUL
_MAX_DIMENSIONS = 4  # GGML_MAX_DIMS
_SUPPORTED_VERSIONS = (2, 3)

_UINT32, _STRING, _ARRAY = 4, 8, 9
_NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    _UINT32: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_START = struct.Struct("<4sI")
_COUNTS = struct.Struct("<QQ")
_ARRAY_HEAD = struct.Struct("<IQ")
_TENSOR_TAILS = tuple(struct.Struct(f"<{n}QIQ") for n in range(_MAX_DIMENSIONS + 1))

# The least a key or tensor takes: length, one character, type, one byte; length, one character, dimensions, type, offset
_MIN_KEY_BYTES = 8 + 1 + 4 + 1
_MIN_TENSOR_BYTES = 8 + 1 + 4 + 4 + 8

# What people have in their hands instead of a model: offset and bytes to know it by, what it is, what to do.
_NOT_GGUF = (
    (0, b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with git lfs pull"),
    (0, b"<", "a web page", "download the file itself, not the page about it"),
    (0, b"{", "JSON text", "download the file itself, not the answer of an API"),
    (0, b"\x1f\x8b", "gzip data", "unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard data", "unpack it first"),
    (0, b"\xfd7zXZ", "xz data", "unpack it first"),
    (0, b"BZh", "bzip2 data", "unpack it first"),
    (0, b"PK\x03\x04", "a ZIP archive or a PyTorch checkpoint", "convert or unpack it first"),
    (0, b"lmgg", "a GGML file of 2023", "use a GGUF file"),
    (0, b"fmgg", "a GGML file of 2023", "use a GGUF file"),
    (0, b"tjgg", "a GGML file of 2023", "use a GGUF file"),
    (0, b"\0\0\0\0", "zeros, as an unfinished download leaves them", "fetch it again"),
    (8, b"{", "a safetensors file", "convert it with convert_hf_to_gguf.py of llama.cpp"),
)


class GGUFError(Exception):
    """Why a file is no usable model: the predicate of a sentence whose subject is the file's path."""


class Tensor(t.NamedTuple):
    """`type` is ggml's name in upper case, `shape` its dimensions with the row length (ne0) first."""

    type: str
    shape: tuple[int, ...]
    name: str


class Header(t.NamedTuple):
    """One file's header. `metadata` as in :func:`read_header`, `tensors` in file order."""

    version: int
    alignment: int
    metadata: dict[str, t.Any]
    tensors: list[Tensor]


class Allowance:
    """What the headers of one model, all its parts together, may take.

    The largest headers published (260,000 tokens, 1,100 tensors) have about 20 MiB, of which 0.1 MiB is kept.
    """

    def __init__(self) -> None:
        self.header_bytes = _MAX_HEADER_BYTES
        self.kept_bytes = _MAX_KEPT_BYTES


def read_header(file: int, size_bytes: int, allowance: Allowance) -> Header:
    """Read the header of the open file descriptor `file`, of `size_bytes` bytes. Uses `allowance` up.

    `metadata` holds every key. Arrays under `tokenizer.`, and other arrays of more than 1,024 elements, are replaced by
    their number of elements; chat templates (`tokenizer.chat_template…`), and other strings of more than 1,024 bytes,
    by their number of bytes; floats that are not finite by None.

    Raises GGUFError for what is not a complete GGUF file that llama.cpp can load, OSError when reading fails.
    """
    if not size_bytes:
        raise _damaged("is empty")
    window = _Window(file, size_bytes, allowance)
    version = _read_version(window)
    n_tensors, n_keys = window.unpack(_COUNTS, "its counts of tensors and keys")
    if n_keys * _MIN_KEY_BYTES + n_tensors * _MIN_TENSOR_BYTES > size_bytes:
        raise _damaged(f"announces {n_tensors} tensors and {n_keys} keys, more than {size_bytes} bytes can hold")
    metadata, alignment = _read_metadata(window, n_keys)
    tensors, data_bytes = _read_tensors(window, n_tensors, alignment)
    header_bytes = window.position
    allowance.header_bytes -= header_bytes
    expected_bytes = -(-header_bytes // alignment) * alignment + data_bytes
    if tensors and size_bytes < expected_bytes:
        raise GGUFError(
            f"holds {size_bytes} of the {expected_bytes} bytes that its tensors need: "
            "the download is incomplete, fetch the file again"
        )
    return Header(version, alignment, metadata, tensors)


class _Window:
    """Reads the file in one direction, a chunk at a time; what is skipped beyond the chunk is never read."""

    def __init__(self, file: int, size_bytes: int, allowance: Allowance) -> None:
        self._file = file
        self._size = size_bytes
        self._end = min(size_bytes, allowance.header_bytes)
        self._allowance = allowance
        self._base = 0
        self._buffer = b""
        self._at = 0

    @property
    def position(self) -> int:
        return self._base + self._at

    def peek(self, count: int, what: str) -> bytes:
        """The next bytes, `count` or what is left of the file but at least one, without moving on."""
        self._fill(1, what)
        return self._buffer[:count]

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes. `what` names them in errors."""
        self._allowance.kept_bytes -= count
        if self._allowance.kept_bytes < 0:
            raise GGUFError(
                f"describes its model in more than {_MAX_KEPT_BYTES // _MIB} MiB beside the tokenizer, "
                "which no real model does: use another file"
            )
        if self._at + count > len(self._buffer):
            self._fill(count, what)
        start = self._at
        self._at = start + count
        return self._buffer[start : self._at]

    def unpack(self, layout: struct.Struct, what: str) -> tuple[t.Any, ...]:
        return layout.unpack(self.take(layout.size, what))

    def skip(self, count: int, what: str) -> None:
        self._at += count
        if self.position > self._end:
            raise self._past_end(what)

    def skip_strings(self, count: int, what: str) -> None:
        if count * _U64.size > self._end - self.position:
            raise self._past_end(what)
        # The one hot loop: a vocabulary and its merges are 250,000 strings and more.
        length_at = _U64.unpack_from
        size = _U64.size
        buffer, at = self._buffer, self._at
        last = len(buffer) - size
        for _dummy in range(count):
            if at > last:
                self._at = at
                self._fill(size, what)
                buffer, at = self._buffer, self._at
                last = len(buffer) - size
            at += size + length_at(buffer, at)[0]
        self._at = at
        self.skip(0, what)

    def _fill(self, count: int, what: str) -> None:
        """Start a chunk at the position, with at least `count` bytes."""
        position = self.position
        room = self._end - position
        if count > room:
            raise self._past_end(what)
        chunk = os.pread(self._file, min(max(count, _CHUNK_BYTES), room), position)
        while len(chunk) < count:
            more = os.pread(self._file, count - len(chunk), position + len(chunk))
            if not more:  # shrunk since it was opened
                raise self._past_end(what)
            chunk += more
        self._base, self._buffer, self._at = position, chunk, 0

    def _past_end(self, what: str) -> GGUFError:
        if self._end < self._size:
            return GGUFError(
                f"has a header of more than {_MAX_HEADER_BYTES // _MIB} MiB, which no real model has: use another file"
            )
        return _damaged(f"ends after {self._size} bytes, within {what}")


def _damaged(problem: str) -> GGUFError:
    return GGUFError(f"{problem}: it is incomplete or damaged, fetch the file again")


def _shown(name: str) -> str:
    """A name out of the file, for an error text."""
    return f"'{name}'" if len(name) <= 64 else f"'{name[:64]}…'"


def _read_version(window: _Window) -> int:
    start = window.peek(32, "its first bytes")
    if start[:4] != b"GGUF":
        for at, magic, kind, remedy in _NOT_GGUF:
            if start.startswith(magic, at):
                raise GGUFError(f"is not a GGUF file but {kind}: {remedy}")
        raise GGUFError(
            f"is not a GGUF file: it starts with the bytes {start[:4].hex(' ')}, not with 47 47 55 46 (GGUF)"
        )
    version = window.unpack(_START, "its version")[1]
    if version and version & 0xFFFF == 0:
        raise GGUFError(
            f"is a big-endian GGUF file (version {int.from_bytes(start[4:8], 'big')}): "
            "convert it with gguf-convert-endian, or use a little-endian one"
        )
    if version not in _SUPPORTED_VERSIONS:
        raise GGUFError(
            f"is a GGUF file of version {version}, which llama.cpp does not read: use one of version 2 or 3"
        )
    return version


def _read_metadata(window: _Window, count: int) -> tuple[dict[str, t.Any], int]:
    """The keys with their values, and the alignment of tensor data."""
    metadata: dict[str, t.Any] = {}
    alignment = _DEFAULT_ALIGNMENT
    for index in range(count):
        key = _read_name(window, f"key {index + 1} of {count}", _MAX_KEY_BYTES)
        what = f"the value of {_shown(key)}"
        if key in metadata:
            raise _damaged(f"has the key {_shown(key)} twice")
        (kind,) = window.unpack(_U32, what)
        value = metadata[key] = _read_value(window, key, kind, what)
        if key == "general.alignment":
            if kind != _UINT32 or value == 0 or value & (value - 1):
                raise _damaged("has a general.alignment that is not a power of two in 32 bits")
            alignment = value
    return metadata, alignment


def _read_value(window: _Window, key: str, kind: int, what: str) -> t.Any:
    if kind == _STRING:
        return _read_string(window, what, keep=not key.startswith("tokenizer.chat_template"))
    if kind == _ARRAY:
        return _read_array(window, key, what)
    return _read_numbers(window, kind, 1, what)[0]


def _read_string(window: _Window, what: str, keep: bool = True) -> str | int:
    (length,) = window.unpack(_U64, what)
    if keep and length <= LONG_VALUE:
        return window.take(length, what).decode("utf-8", "replace")
    window.skip(length, what)
    return length


def _read_array(window: _Window, key: str, what: str) -> list[t.Any] | int:
    kind, count = window.unpack(_ARRAY_HEAD, what)
    if kind == _ARRAY:
        raise _damaged(f"holds arrays in an array as {what}, which llama.cpp does not read")
    if count > LONG_VALUE or key.startswith("tokenizer."):
        if kind == _STRING:
            window.skip_strings(count, what)
        else:
            window.skip(count * _number_layout(kind, 1, what).size, what)
        return count
    if kind == _STRING:
        return [_read_string(window, what) for _dummy in range(count)]
    return _read_numbers(window, kind, count, what)


def _number_layout(kind: int, count: int, what: str) -> struct.Struct:
    if kind not in _NUMBERS:
        raise _damaged(f"has the unknown type {kind} for {what}")
    return struct.Struct(f"<{count}{_NUMBERS[kind]}")


def _read_numbers(window: _Window, kind: int, count: int, what: str) -> list[t.Any]:
    values = window.unpack(_number_layout(kind, count, what), what)
    # JSON has no word for NaN and infinity.
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]


def _read_name(window: _Window, what: str, max_bytes: int) -> str:
    """The name of a key or tensor: one printable line, as it becomes part of facts and error texts."""
    (length,) = window.unpack(_U64, f"the name of {what}")
    if not 1 <= length <= max_bytes:
        raise _damaged(f"has a name of {length} bytes for {what}, where 1 to {max_bytes} are possible")
    try:
        name = window.take(length, f"the name of {what}").decode("utf-8")
    except UnicodeDecodeError:
        name = "\0"
    if not name.isprintable():
        raise _damaged(f"has a name that is not printable UTF-8 for {what}")
    return name


def _read_tensors(window: _Window, count: int, alignment: int) -> tuple[list[Tensor], int]:
    """The tensors, and the bytes from the start of the tensor data to the end of the last one."""
    tensors: list[Tensor] = []
    names: set[str] = set()
    offset = data_bytes = 0
    for index in range(count):
        what = f"tensor {index + 1} of {count}"
        name = _read_name(window, what, _MAX_TENSOR_NAME_BYTES)
        if name in names:
            raise _damaged(f"has the tensor {_shown(name)} twice")
        names.add(name)
        (dimensions,) = window.unpack(_U32, what)
        if dimensions > _MAX_DIMENSIONS:
            raise _damaged(f"has the tensor {_shown(name)} with {dimensions} dimensions, where 4 are possible")
        *shape, kind, said_offset = window.unpack(_TENSOR_TAILS[dimensions], what)
        tensor = Tensor(_type_name(kind, name), tuple(shape) or (1,), name)
        size = _size_of(tensor)
        # llama.cpp: tensors lie one after the other, each padded to the alignment.
        if said_offset != offset:
            raise _damaged(
                f"has the tensor {_shown(name)} at offset {said_offset} of its data, "
                f"where the tensors before it end at {offset}"
            )
        data_bytes = offset + size
        offset = -(-data_bytes // alignment) * alignment
        tensors.append(tensor)
    return tensors, data_bytes


def _type_name(kind: int, tensor_name: str) -> str:
    if kind in GGML_TYPE_BY_ID:
        return GGML_TYPE_BY_ID[kind].name
    removed = REMOVED_GGML_TYPES.get(kind)
    problem = f"the type {removed}, which llama.cpp has dropped" if removed else f"type {kind}"
    raise GGUFError(f"has the tensor {_shown(tensor_name)} in {problem}: use a file made for current llama.cpp")


def _size_of(tensor: Tensor) -> int:
    if not 0 < math.prod(tensor.shape) < 2**63:
        shape = "x".join(map(str, tensor.shape))
        raise _damaged(f"has the tensor {_shown(tensor.name)} of the impossible shape {shape}")
    try:
        return tensor_bytes(tensor.type, tensor.shape)
    except ValueError as error:
        raise _damaged(f"has the tensor {_shown(tensor.name)} for which {error}") from None
