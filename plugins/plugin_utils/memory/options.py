# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a launch that memory depends on, with llama-server's defaults filled in."""

from __future__ import annotations

import typing as t

from ...module_utils.ggml_types import ggml_type
from ..contract.launch import Launch
from .adapters import Adapters
from .anatomy import Anatomy
from .context import Context, context_of
from .kv_cache import CacheTypes
from .placement import device_position
from .refusals import LaunchRefused
from .weights import Overrides, parse_overrides

# ggml_backend_dev_max
MAXIMUM_DEVICES = 16
MTP = "draft-mtp"
# --spec-draft-n-max
DEFAULT_DRAFTED = 3
# These let a recurrent state be taken back to before a token that was drafted in vain.
TAKES_BACK = (MTP, "draft-eagle3", "draft-dflash", "draft-dspark")


class Options(t.NamedTuple):
    """A launch as memory sees it. `flash` None: the engine decides. `n_gpu_layers` None: all.

    `gpus`: positions among the host's GPUs, in the launch's order. `shares` of the layers per GPU, None: by free memory.
    """

    context: Context
    types: CacheTypes
    flash: bool | None
    n_gpu_layers: int | None
    overrides: Overrides
    gpus: tuple[int, ...]
    shares: tuple[float, ...] | None
    kv_offload: bool
    op_offload: bool
    pinned: bool
    mtp: bool
    adapters: Adapters | None = None
    cache_copies: bool = True


def spec_types(launch: Launch) -> list[str]:
    """Return the ways to draft tokens that a launch names."""
    return [kind.strip() for kind in (launch.spec_type or "").split(",") if kind.strip() not in ("", "none")]


def options_of(
    launch: Launch,
    anatomy: Anatomy,
    n_gpus: int,
    n_outputs: int | None = None,
    mtp: bool = False,
    adapters: Adapters | None = None,
) -> Options:
    """Return the options of a launch on a host with `n_gpus` GPUs.

    :param n_outputs: rows of logits per micro-batch; None is llama-server's one per slot.
    :param mtp: the blocks for multi-token prediction are loaded, also where the launch does not draft with them.
    :param adapters: LoRA.
    :raises LaunchRefused: the launch names what the host does not have, or what is not known.
    """
    gpus = _gpus(launch, n_gpus)
    shares = _shares(launch, gpus)
    type_v = (launch.cache_type_v or "f16").upper()
    flash = {"on": True, "off": False}.get(launch.flash_attn or "auto")
    if flash is None and ggml_type(type_v).block_elements > 1:
        # a quantised V cache is only read by flash attention
        flash = True
    experts = anatomy.n_layer if launch.cpu_moe else min(launch.n_cpu_moe or 0, anatomy.n_layer)
    layers = launch.n_gpu_layers
    context = context_of(
        anatomy.trained,
        launch.ctx_size,
        launch.parallel,
        launch.kv_unified,
        launch.batch_size,
        launch.ubatch_size,
        n_outputs,
    )
    kinds = spec_types(launch)
    if any(kind.startswith("draft-") for kind in kinds):
        drafted = launch.spec_draft_n_max or DEFAULT_DRAFTED
        kept = 1 + drafted if any(kind in TAKES_BACK for kind in kinds) else 1
        context = context._replace(drafted=drafted, kept_states=kept)
    return Options(
        context=context,
        types=CacheTypes((launch.cache_type_k or "f16").upper(), type_v, flash is False, bool(launch.swa_full)),
        flash=flash,
        n_gpu_layers=layers if isinstance(layers, int) and layers >= 0 else None,
        overrides=Overrides(experts, parse_overrides(launch.override_tensor or [], len(gpus))),
        gpus=gpus,
        shares=shares,
        kv_offload=not launch.no_kv_offload,
        op_offload=not launch.no_op_offload,
        pinned=bool(gpus) and not launch.no_host,
        mtp=mtp or MTP in kinds,
        adapters=adapters,
    )


def _gpus(launch: Launch, n_gpus: int) -> tuple[int, ...]:
    chosen = tuple(range(n_gpus))
    if launch.device is not None:
        if [name.lower() for name in launch.device] == ["none"]:
            return ()
        positions = [device_position(name, n_gpus) for name in launch.device]
        if None in positions:
            there = f"CUDA0 to CUDA{n_gpus - 1}, or so with another backend" if n_gpus else "none: it has no GPU"
            raise LaunchRefused(f"device: entry {positions.index(None) + 1} is not one of this host's devices, {there}")
        chosen = tuple(position for position in positions if position is not None)
    if len(chosen) > MAXIMUM_DEVICES:
        raise LaunchRefused(f"{len(chosen)} devices, and llama.cpp is built for at most {MAXIMUM_DEVICES}")
    mode = launch.split_mode or "layer"
    if mode in ("row", "tensor"):
        raise LaunchRefused(f"split_mode {mode}: how it shares memory is not known here; use layer or none")
    if mode == "none" and chosen:
        main = launch.main_gpu or 0
        if main >= len(chosen):
            raise LaunchRefused(f"main_gpu is {main}, and the launch has {len(chosen)} devices")
        chosen = (chosen[main],)
    return chosen


def _shares(launch: Launch, gpus: tuple[int, ...]) -> tuple[float, ...] | None:
    """The launch's split. Shorter than the devices: the rest get nothing, as in llama.cpp."""
    given = launch.tensor_split
    if not given or not any(given) or len(gpus) < 2:
        return None
    if len(given) > len(gpus):
        raise LaunchRefused(f"tensor_split has {len(given)} shares, and the launch has {len(gpus)} devices")
    shares = tuple(given) + (0.0,) * (len(gpus) - len(given))
    return shares
