# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`Model`: what memory, speed and planner know of a model, whatever it was made from.

A header of a file, a catalog entry with a quant and a Hugging Face config with a quant all become this, so that one set
of rules serves them all. The names are GGUF's: metadata keys, tensor names, and shapes with ne0 first.
"""

from __future__ import annotations

import dataclasses
import typing as t

Basis = t.Literal["file", "recipe", "assumed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: `shape` has ne0 (the row length) first, `type` is ggml's name in upper case, such as Q4_K."""

    name: str
    shape: tuple[int, ...]
    type: str


@dataclasses.dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of the model, as it lies on disk."""

    path: str
    size_bytes: int


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A model with every tensor it has. Compared and hashed by identity: what is derived from it is kept beside it.

    `basis` says how the tensors are known: read from a `file`, made by the converter's and quantiser's `recipe`, or
    `assumed`; `warnings` is what a plan should tell of it. `metadata` has GGUF keys (`qwen3.block_count`); token arrays are replaced by their lengths.
    """

    id: str
    name: str
    metadata: t.Mapping[str, t.Any]
    tensors: tuple[Tensor, ...]
    quant: str | None = None
    files: tuple[ModelFile, ...] = ()
    basis: Basis = "file"
    warnings: tuple[str, ...] = ()

    @property
    def architecture(self) -> str:
        """Return `general.architecture`, the prefix of the keys that describe the model; empty when it is absent."""
        return str(self.metadata.get("general.architecture", ""))

    def get(self, key: str, default: t.Any = None) -> t.Any:
        """Return the value of a key of this architecture, such as `attention.head_count`."""
        return self.metadata.get(f"{self.architecture}.{key}", default)
