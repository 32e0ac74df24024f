# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speculation: a second context that drafts tokens, from a small model's file or from the model's own nextn blocks.

Sources: `common/speculative.cpp` and `tools/server` of llama.cpp 0.7.0.
"""

from __future__ import annotations

from ..contract.launch import Launch
from .context import Context
from .kv_cache import CacheTypes
from .options import MTP, Options, spec_types

DRAFT = "draft-simple"


def drafts_with_a_model(launch: Launch) -> bool:
    """Whether a draft model is used: its file alone does not turn speculation on."""
    return DRAFT in spec_types(launch)


def drafts_with_own_blocks(launch: Launch) -> bool:
    """Whether the model's own nextn blocks draft."""
    return MTP in spec_types(launch)


def unknown_types(launch: Launch) -> list[str]:
    """Return the ways to draft whose memory is not known here. Those from n-grams take none to speak of."""
    return [kind for kind in spec_types(launch) if kind.startswith("draft-") and kind not in (DRAFT, MTP)]


def draft_launch(launch: Launch, context: Context) -> Launch:
    """Return the launch of the draft model's context: the main one's context and devices, its own options for the rest.

    Its cache is f16 and all its layers are on GPUs unless its own options say otherwise.
    """
    return Launch(
        ctx_size=context.n_ctx,
        parallel=launch.parallel,
        kv_unified=launch.kv_unified,
        batch_size=launch.batch_size,
        ubatch_size=launch.spec_draft_n_ubatch or launch.ubatch_size,
        cache_type_k=launch.cache_type_k_draft,
        cache_type_v=launch.cache_type_v_draft,
        flash_attn=launch.flash_attn,
        n_gpu_layers=launch.n_gpu_layers_draft,
        cpu_moe=launch.cpu_moe_draft,
        n_cpu_moe=launch.n_cpu_moe_draft,
        override_tensor=launch.override_tensor_draft,
        device=launch.device_draft or launch.device,
        tensor_split=None if launch.device_draft else launch.tensor_split,
        split_mode=launch.split_mode,
        main_gpu=launch.main_gpu,
        no_kv_offload=launch.no_kv_offload,
        no_op_offload=launch.no_op_offload,
        no_host=launch.no_host,
        swa_full=launch.swa_full,
    )


def own_blocks_options(launch: Launch, options: Options) -> Options:
    """Return the options of the context that drafts with the model's own blocks: the main one's, with a cache of its own."""
    context = options.context
    ubatch = min(context.n_batch, launch.spec_draft_n_ubatch or context.n_ubatch)
    types = CacheTypes(
        (launch.cache_type_k_draft or "f16").upper(),
        (launch.cache_type_v_draft or "f16").upper(),
        options.types.transposed,
        options.types.swa_full,
    )
    return options._replace(
        context=context._replace(n_ubatch=ubatch, drafted=0, kept_states=1), types=types, adapters=None
    )
