# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`gguf`: the header of a GGUF file as the module gguf_info returns it."""

from __future__ import annotations

import typing as t

from .._pydantic import Field
from .base import SCHEMA_VERSION, Contract


class GgufFile(Contract):
    """One file; a split model has several, in order."""

    path: str
    size_bytes: int = Field(ge=0)


class Gguf(Contract):
    """A header: all metadata except token arrays, which are given by their length, and the tensors as one string.

    `tensors` has a line per tensor in file order: type, shape (ne0 first, joined by x), name; for example
    `Q4_K 4096x14336 blk.0.ffn_up.weight`.
    """

    schema_version: t.Literal[1] = Field(default=SCHEMA_VERSION, alias="schema")
    files: list[GgufFile] = Field(min_length=1)
    version: int
    alignment: int
    metadata: dict[str, t.Any]
    tensors: str
