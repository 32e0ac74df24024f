# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GLM 4 and 4.5 to 4.7. (GLM 5 has DeepSeek's sparse attention and stands with it.)"""

from __future__ import annotations

from ..blocks.attention import attention
from ..blocks.feed_forward import always, dense, experts, fused
from ..blocks.nextn import nextn, own_embeddings
from ..part import Architecture, either, is_moe, nothing, sequence, vectors

ARCHITECTURES = {
    "glm4": Architecture(
        block=sequence(
            vectors("attn_norm"),
            attention(bias="qkv"),
            vectors("post_attention_norm", "ffn_norm"),
            fused,
            vectors("post_ffw_norm"),
        ),
        top=nothing,
    ),
    "glm4moe": Architecture(
        block=sequence(
            vectors("attn_norm"),
            attention(bias="qkv", norm="head", normed=False),
            vectors("post_attention_norm"),
            either(is_moe, experts(balanced=always), dense),
            nextn("eh_proj", "enorm", "hnorm", "shared_head_norm"),
            # GLM 4.6 shares them with the model, 4.5 and 4.7 do not
            either(own_embeddings(default=True), nextn("embed_tokens", "shared_head_head")),
        ),
        top=nothing,
    ),
}
