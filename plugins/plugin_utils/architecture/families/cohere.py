# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command R and R7B: attention and feed-forward side by side behind one norm."""

from __future__ import annotations

from ..blocks.attention import attention
from ..blocks.feed_forward import dense
from ..part import Architecture, nothing, sequence, vectors

_PARALLEL = Architecture(
    block=sequence(vectors("attn_norm"), attention(norm="head", normed=False), dense), top=nothing, tied=True
)

ARCHITECTURES = {"command-r": _PARALLEL, "cohere2": _PARALLEL}
