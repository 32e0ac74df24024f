# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Granite 3 and 4: dense, experts, and hybrids of Mamba-2 and attention."""

from __future__ import annotations

from ..blocks.attention import attention
from ..blocks.feed_forward import dense, experts
from ..blocks.recurrent import is_recurrent, mamba2
from ..part import Architecture, either, is_moe, rope_factors, sequence, vectors

_FEED_FORWARD = sequence(vectors("ffn_norm"), either(is_moe, experts(), dense))
_GRANITE = Architecture(block=sequence(vectors("attn_norm"), attention(), _FEED_FORWARD), top=rope_factors(), tied=True)

ARCHITECTURES = {
    "granite": _GRANITE,
    "granitemoe": _GRANITE,
    "granitehybrid": Architecture(
        block=sequence(vectors("attn_norm"), either(is_recurrent, mamba2, attention()), _FEED_FORWARD),
        top=rope_factors(),
        tied=True,
    ),
}
