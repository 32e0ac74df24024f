# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kimi Linear: delta attention with some latent attention. (Kimi K2 is a DeepSeek V3 in its shapes and stands there.)"""

from __future__ import annotations

from ..blocks.attention import latent_attention
from ..blocks.recurrent import is_recurrent, kimi_delta_attention
from ..part import Architecture, either, nothing, sequence, vectors
from .deepseek import DENSE_OR_BALANCED

ARCHITECTURES = {
    "kimi-linear": Architecture(
        block=sequence(
            vectors("attn_norm"),
            either(is_recurrent, kimi_delta_attention, latent_attention),
            vectors("ffn_norm"),
            DENSE_OR_BALANCED,
        ),
        top=nothing,
    )
}
