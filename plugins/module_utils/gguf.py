# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model's GGUF files -> the `gguf` value that the collection accepts wherever a model is asked for.

A model is one file, or the parts that llama-gguf-split wrote: `NAME-00001-of-00009.gguf` and so on, of which the first
holds the metadata and every one `split.no`, `split.count` and `split.tensors.count`.
"""

from __future__ import annotations

import collections
import errno
import math
import os
import re
import stat
import typing as t

from .ggml_types import file_type_label, tensor_bytes
from .gguf_header import Allowance, GGUFError, Header, Tensor, read_header

SCHEMA = 1

_PART_NAME = re.compile(r"(?P<prefix>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf")

# More than any model is published in; keeps a hostile name from asking for 99,999 files.
_MAX_PARTS = 1024

_FILE_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISDIR, "a directory"),
)


class ModelFiles(t.NamedTuple):
    """A model's files, in the order of its parts: `{path, size_bytes}` with absolute paths, and their headers."""

    files: list[dict[str, t.Any]]
    headers: list[Header]

    def value(self) -> dict[str, t.Any]:
        """The `gguf` value: `{schema, files, version, alignment, metadata, tensors}`.

        `version`, `alignment` and `metadata` (values as in :func:`gguf_header.read_header`) are those of the first
        part. `tensors` has a line for each tensor, in the order of the files: `<TYPE> <NE0>x<NE1>x… <name>`.
        """
        first = self.headers[0]
        return {
            "schema": SCHEMA,
            "files": self.files,
            "version": first.version,
            "alignment": first.alignment,
            "metadata": first.metadata,
            "tensors": "".join(
                f"{tensor.type} {'x'.join(map(str, tensor.shape))} {tensor.name}\n" for tensor in self.tensors()
            ),
        }

    def summary(self) -> dict[str, t.Any]:
        """What a person wants to know first: `{architecture, name, parameters, quant, tensor_bytes, file_bytes}`.

        None is what the files do not say. `parameters` are the elements of all tensors, `tensor_bytes` their bytes
        without padding, `quant` is `general.file_type` in words.
        """
        metadata = self.headers[0].metadata
        return {
            "architecture": _text(metadata.get("general.architecture")),
            "name": _text(metadata.get("general.name")),
            "parameters": sum(math.prod(tensor.shape) for tensor in self.tensors()),
            "quant": file_type_label(metadata.get("general.file_type")),
            "tensor_bytes": sum(tensor_bytes(tensor.type, tensor.shape) for tensor in self.tensors()),
            "file_bytes": sum(file["size_bytes"] for file in self.files),
        }

    def tensors(self) -> list[Tensor]:
        """The tensors of all files, in order."""
        return [tensor for header in self.headers for tensor in header.tensors]


def read(path: str) -> ModelFiles:
    """The model at `path`: a file, any part of a split model, or a directory with one model in it.

    A leading ~ stands for the home directory. Only headers are read. Raises GGUFError, one sentence that names the file, for whatever is not a complete model.
    """
    paths = _paths_of_model(os.path.expanduser(path))
    allowance = Allowance()
    model = ModelFiles([], [])
    for part in paths:
        size_bytes, header = _read_file(part, allowance)
        model.files.append({"path": part, "size_bytes": size_bytes})
        model.headers.append(header)
    _check_parts(paths, model)
    return model


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) else None


def _paths_of_model(path: str) -> list[str]:
    """The absolute paths of all parts of the model at `path`, which all exist."""
    if not path or "\0" in path:
        raise GGUFError("The path is empty or holds a NUL character: give the path of a GGUF file.")
    path = os.path.abspath(path)
    if os.path.isdir(path):
        path = _only_model_in(path)
    named = _PART_NAME.fullmatch(os.path.basename(path))
    if not named or named["count"] == "00001":
        return [path]
    number, count = int(named["number"]), int(named["count"])
    if not 1 <= number <= count <= _MAX_PARTS:
        raise GGUFError(f"{path} is named part {number} of {count}: parts are numbered from 1, up to {_MAX_PARTS}.")
    start = os.path.join(os.path.dirname(path), named["prefix"])
    parts = [f"{start}-{part:05}-of-{count:05}.gguf" for part in range(1, count + 1)]
    missing = [part for part in parts if not os.path.lexists(part)]
    if missing and len(missing) < count:
        names = ", ".join(os.path.basename(part) for part in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise GGUFError(f"{path} needs all {count} parts of its model in the same directory: {names}{more} missing.")
    return parts if not missing else [path]


def _only_model_in(directory: str) -> str:
    """The path of the only model in `directory`, projectors (`mmproj…`) aside, as llama-server's models directory."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".gguf"))
    except OSError as error:
        raise GGUFError(f"{directory} cannot be read: {error.strerror}.") from error
    models: dict[str, str] = {}
    for name in names:
        if not name.startswith("mmproj"):
            named = _PART_NAME.fullmatch(name)
            models.setdefault(f"{named['prefix']}-of-{named['count']}" if named else name, name)
    if len(models) != 1:
        found = ", ".join(list(models.values())[:5]) + (", …" if len(models) > 5 else "")
        raise GGUFError(
            f"{directory} holds {len(models)} models ({found}): give the path of one file."
            if models
            else f"{directory} holds no model: give the path of a .gguf file, or of the directory it is in."
        )
    return os.path.join(directory, next(iter(models.values())))


def _read_file(path: str, allowance: Allowance) -> tuple[int, Header]:
    """Size in bytes and header of one file."""
    try:
        # A FIFO would block, and opening a device can do something: look first. O_NONBLOCK for the case of a swap.
        _require_regular_file(os.stat(path))
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(file)
            _require_regular_file(status)
            return status.st_size, read_header(file, status.st_size, allowance)
        finally:
            os.close(file)
    except GGUFError as error:
        raise GGUFError(f"{path} {error}.") from None
    except OSError as error:
        if error.errno == errno.ENOENT and os.path.islink(path):
            reason = f"it is a link to {os.readlink(path)}, which does not exist"
        else:
            reason = error.strerror or type(error).__name__
        raise GGUFError(f"{path} cannot be read: {reason}.") from error


def _require_regular_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _FILE_KINDS if test(status.st_mode)), "something else")
        raise GGUFError(f"is {kind}, not a file: give the path of a GGUF file")


def _check_parts(paths: list[str], model: ModelFiles) -> None:
    """The parts agree with their names, and with each other, as llama.cpp demands of them."""
    count = len(paths)
    first = model.headers[0].metadata
    if count == 1:
        said = first.get("split.count", 1)
        if said not in (0, 1):
            raise GGUFError(
                f"{paths[0]} is a part of a model split into {said} files, but is not named like one: "
                f"restore the names that end in -00001-of-{said:05}.gguf and so on."
                if isinstance(said, int)
                else f"{paths[0]} has a split.count that is not a number."
            )
        return
    tensors = [tensor.name for tensor in model.tensors()]
    for index, (path, header) in enumerate(zip(paths, model.headers)):
        expected = {
            "split.no": index,
            "split.count": count,
            "split.tensors.count": len(tensors),
            "general.architecture": first.get("general.architecture"),
        }
        for key, value in expected.items():
            # Only the number is in every part for certain, the rest at least in the first.
            said = header.metadata.get(key, None if index == 0 or key == "split.no" else value)
            if said != value:
                raise GGUFError(
                    f"{path} says {key} {_shown_value(said)}, where the {count} files named as its model's parts "
                    f"make it {_shown_value(value)}: fetch all parts of one model again."
                )
    if len(set(tensors)) != len(tensors):
        twice = next(name for name, times in collections.Counter(tensors).items() if times > 1)
        raise GGUFError(
            f"{paths[0]} and its other parts hold the tensor '{twice}' twice: fetch all parts of one model again."
        )


def _shown_value(value: t.Any) -> str:
    return "nothing" if value is None else repr(value)[:64]
