# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts: the pieces that architectures are put together from.

A part tells the tensors that one block of the model has (`blk.<layer>.` is put before the names), or those of the model as
a whole. An architecture is a part for its blocks, and what stands around them.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable, Iterator

from .hyperparameters import Hyperparameters

# name, shape with ne0 (row length) first, type as the converter writes it
Entry: t.TypeAlias = tuple[str, tuple[int, ...], str]
Part: t.TypeAlias = Callable[[Hyperparameters, int], Iterator[Entry]]
Condition: t.TypeAlias = Callable[[Hyperparameters, int], bool]

MATRIX = "BF16"  # llama.cpp's converter keeps matrices as trained
VECTOR = "F32"  # and writes norms, biases and other small tensors in full precision


@dataclasses.dataclass(frozen=True)
class Architecture:
    """How the tensors of an architecture follow from its hyperparameters."""

    block: Part
    top: Part  # tensors of the whole model after embedding, output norm and output
    tied: bool = False  # checkpoint.tied_embeddings where the metadata does not tell
    output_norm: str = "output_norm"

    def entries(self, h: Hyperparameters) -> Iterator[Entry]:
        """Give all tensors of the model, the whole model's first, then block by block."""
        yield "token_embd.weight", (h.embedding, h.vocabulary), MATRIX
        yield f"{self.output_norm}.weight", (h.embedding,), VECTOR
        if not h.checkpoint("tied_embeddings", self.tied):
            yield "output.weight", (h.embedding, h.vocabulary), MATRIX
        yield from self.top(h, 0)
        for layer in range(h.layers):
            prefix = f"blk.{layer}."
            for name, shape, kind in self.block(h, layer):
                yield prefix + name, shape, kind


def sequence(*parts: Part) -> Part:
    """Return the part that is these parts, one after the other."""

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        for part in parts:
            yield from part(h, layer)

    return entries


def either(condition: Condition, this: Part, other: Part | None = None) -> Part:
    """Return the part that is `this` where the condition holds, else `other` (nothing when absent)."""

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        if condition(h, layer):
            yield from this(h, layer)
        elif other is not None:
            yield from other(h, layer)

    return entries


def nothing(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give no tensors."""
    yield from ()


def vectors(*names: str) -> Part:
    """Return the part of these vectors over the residual stream; a name without a suffix gets `.weight`."""
    full = tuple(name if "." in name else f"{name}.weight" for name in names)

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        for name in full:
            yield name, (h.embedding,), VECTOR

    return entries


def rope_factors(default: str = "none") -> Part:
    """Return the part of the factors that stretch rotary frequencies, one for each pair of rotated values."""

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        kind = h.checkpoint("rope_factors", default)
        names = {"llama3": ("rope_freqs",), "longrope": ("rope_factors_long", "rope_factors_short")}.get(kind, ())
        for name in names:
            yield f"{name}.weight", (h.rope_width() // 2,), VECTOR

    return entries


def is_moe(h: Hyperparameters, layer: int) -> bool:
    """Tell whether `layer` has experts: those after the leading dense ones."""
    return h.experts > 0 and layer >= h.count("leading_dense_block_count", 0)
