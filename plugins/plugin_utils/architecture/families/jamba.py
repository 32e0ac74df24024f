# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jamba: Mamba with some attention, experts in every second layer."""

from __future__ import annotations

from ..blocks.attention import attention
from ..blocks.feed_forward import dense, experts
from ..blocks.recurrent import is_recurrent, mamba1
from ..hyperparameters import Hyperparameters
from ..part import Architecture, either, nothing, sequence, vectors


def _has_experts(h: Hyperparameters, layer: int) -> bool:
    period, offset = h.checkpoint("expert_layer_period", 2), h.checkpoint("expert_layer_offset", 1)
    return h.experts > 0 and layer % max(1, period) == offset


ARCHITECTURES = {
    "jamba": Architecture(
        block=sequence(
            vectors("attn_norm"),
            either(is_recurrent, mamba1, attention()),
            vectors("ffn_norm"),
            either(_has_experts, experts(), dense),
        ),
        top=nothing,
    )
}
