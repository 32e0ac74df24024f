# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LFM2: gated short convolutions with some attention."""

from __future__ import annotations

from ..blocks.attention import attention
from ..blocks.feed_forward import always, dense, experts
from ..blocks.recurrent import is_recurrent, short_convolution
from ..part import Architecture, either, is_moe, nothing, sequence, vectors

_LFM2 = Architecture(
    block=sequence(
        vectors("attn_norm"),
        either(is_recurrent, short_convolution, attention(norm="head")),
        vectors("ffn_norm"),
        either(is_moe, experts(balanced=always), dense),
    ),
    top=nothing,
    tied=True,
    output_norm="token_embd_norm",
)

ARCHITECTURES = {"lfm2": _LFM2, "lfm2moe": _LFM2}
