# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a block for multi-token prediction has beyond an ordinary one."""

from __future__ import annotations

from collections.abc import Iterator

from ..hyperparameters import Hyperparameters
from ..part import MATRIX, VECTOR, Condition, Entry, Part


def nextn(*names: str) -> Part:
    """Return the part of these tensors, in the blocks that predict further tokens; nothing in other blocks.

    `eh_proj` joins the embedding of the last token with the hidden state; `embed_tokens` and `shared_head_head` are an
    embedding and an output matrix of the block's own; the rest are norms.
    """

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        if not h.is_nextn(layer):
            return
        for name in names:
            if name == "eh_proj":
                yield "nextn.eh_proj.weight", (2 * h.embedding, h.embedding), MATRIX
            elif name in ("embed_tokens", "shared_head_head"):
                yield f"nextn.{name}.weight", (h.embedding, h.vocabulary), MATRIX
            else:
                yield f"nextn.{name}.weight", (h.embedding,), VECTOR

    return entries


def own_embeddings(default: bool) -> Condition:
    """Return the condition that such blocks have an embedding and an output matrix of their own."""
    return lambda h, layer: h.checkpoint("nextn_embeddings", default)
