# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OLMo 2 and 3, EXAONE 4: norms behind attention and feed-forward only."""

from __future__ import annotations

from ..blocks.attention import Norm, attention
from ..blocks.feed_forward import dense
from ..part import Architecture, rope_factors, sequence, vectors


def _behind(norm: Norm) -> Architecture:
    return Architecture(
        block=sequence(attention(norm=norm), vectors("post_attention_norm"), dense, vectors("post_ffw_norm")),
        top=rope_factors(),
    )


ARCHITECTURES = {"olmo2": _behind("all"), "exaone4": _behind("head")}
