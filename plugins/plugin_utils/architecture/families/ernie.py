# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ERNIE 4.5: every n-th layer behind the leading dense ones has experts."""

from __future__ import annotations

from ..blocks.attention import attention
from ..blocks.feed_forward import always, dense, experts
from ..hyperparameters import Hyperparameters
from ..part import Architecture, either, is_moe, nothing, sequence, vectors


def _has_experts(h: Hyperparameters, layer: int) -> bool:
    return is_moe(h, layer) and (layer + 1) % max(1, h.count("interleave_moe_layer_step", 1)) == 0


_ERNIE = Architecture(
    block=sequence(
        vectors("attn_norm"), attention(), vectors("ffn_norm"), either(_has_experts, experts(balanced=always), dense)
    ),
    top=nothing,
    tied=True,
)

ARCHITECTURES = {"ernie4_5": _ERNIE, "ernie4_5-moe": _ERNIE}
