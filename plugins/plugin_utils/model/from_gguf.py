# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A GGUF header becomes a `Model`."""

from __future__ import annotations

import posixpath
import typing as t

from ...module_utils.ggml_types import file_type_label
from ..contract.base import ContractError
from ..contract.gguf import Gguf
from .model import Model, ModelFile, Tensor


def from_gguf(value: t.Any) -> Model:
    """Return the model of `value`, what the module gguf_info returns as `gguf`.

    :raises ContractError: `value` is not such a header, or a line of its tensors cannot be read.
    """
    header = Gguf.read(value, "gguf")
    metadata = header.metadata
    if not isinstance(metadata.get("general.architecture"), str):
        raise ContractError(
            "gguf: metadata has no 'general.architecture', so these files hold no language model;"
            " pass the header of the model's first GGUF file"
        )
    path = header.files[0].path if header.files else ""
    stem = posixpath.basename(path).removesuffix(".gguf")
    return Model(
        id=stem or str(metadata.get("general.name", "model")),
        name=str(metadata.get("general.name") or stem or "model"),
        metadata=metadata,
        tensors=parse_tensors(header.tensors),
        quant=file_type_label(metadata.get("general.file_type")),
        files=tuple(ModelFile(file.path, file.size_bytes) for file in header.files),
        basis="file",
    )


def parse_tensors(text: str) -> tuple[Tensor, ...]:
    """Return the tensors of a header's tensor list, one a line: `Q4_K 4096x14336 blk.0.ffn_up.weight`.

    :raises ContractError: naming the first line that does not have this form.
    """
    tensors = []
    shapes: dict[str, tuple[int, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        type_name, _space, rest = line.partition(" ")
        shape_text, _space, name = rest.partition(" ")
        shape = shapes.get(shape_text)
        if shape is None:
            try:
                shape = shapes[shape_text] = tuple(int(part) for part in shape_text.split("x"))
            except ValueError:
                shape = ()
        if not (name and shape and 0 < len(shape) <= 4 and min(shape) > 0):
            raise ContractError(
                f"gguf: line {number} of the tensors is not '<type> <ne0>x<ne1>… <name>', such as"
                " 'Q4_K 4096x14336 blk.0.ffn_up.weight'"
            )
        tensors.append(Tensor(name, shape, type_name))
    return tuple(tensors)
