# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calculator's data: what a model takes for every choice that the page offers, computed by the engine.

Nothing is worked out in the browser but sums: each figure on the page is one that `memory_estimate` gave for the same launch
on as many equal GPUs, without a split of its own. So the two cannot drift apart.
"""

from __future__ import annotations

import contextlib
import typing as t

from ...catalog import access as catalog
from ...catalog import hosts
from ...contract.launch import CacheType, Launch
from ...contract.request import Reserve
from ...memory.allocation import Allocation, allocate, prepare, split_of
from ...memory.anatomy import Anatomy, anatomy_of
from ...memory.context import DEFAULT_SLOTS
from ...memory.options import options_of
from ...memory.overhead import overhead_lines, pool_growth_bytes
from ...memory.placement import HOST, layer_devices
from ...memory.refusals import LaunchRefused
from ...model import source
from . import words
from .planned import Planned

CONTEXTS = (4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576)
# Requests at once: None is llama-server's own way, four slots that share the context; a number gives each its own.
SLOTS = (None, 1, 4)
CACHE_TYPES: tuple[CacheType, ...] = ("f16", "q8_0", "q4_0")

# Numbers of equal GPUs. Buffers of experts in RAM differ with each quant and take long to work out: fewer choices.
GPUS = {"gpu": (1, 2, 4, 8), "experts": (1, 2, 4), "host": (0,)}
SLOTS_OF = {"gpu": SLOTS, "experts": (None, 1), "host": SLOTS}

# Equal GPUs: how much each has does not matter to how layers are shared.
_ANY_BYTES = 1 << 36


class Choice(t.NamedTuple):
    """One launch but for its context."""

    placement: str
    gpus: int
    slots: int | None
    cache_type: CacheType

    @property
    def key(self) -> str:
        """Return what the page looks it up by."""
        return f"{self.placement}/{self.gpus}/{self.slots or 'shared'}/{self.cache_type}"

    def launch(self, context: int) -> Launch:
        """Return the options of llama-server for `context` tokens per request."""
        return Launch(
            ctx_size=context * (self.slots or 1),
            parallel=self.slots,
            kv_unified=None if self.slots is None else False,
            cache_type_k=self.cache_type,
            cache_type_v=self.cache_type,
            cpu_moe=True if self.placement == "experts" else None,
            device=["none"] if self.placement == "host" else None,
        )


def choices(anatomy: Anatomy) -> list[Choice]:
    """Return the choices that make sense for a model."""
    experts = any("exps" in name for block in anatomy.blocks for name in block)
    return [
        Choice(placement, gpus, slots, cache_type)
        for placement, counts in GPUS.items()
        if experts or placement != "experts"
        for gpus in counts
        if gpus <= anatomy.n_layer
        for slots in SLOTS_OF[placement]
        for cache_type in CACHE_TYPES
    ]


def contexts(anatomy: Anatomy) -> list[int]:
    """Return the lengths of context that the page offers: powers of two, and what the model was trained for."""
    return [*(tokens for tokens in CONTEXTS if tokens < anatomy.trained), anatomy.trained]


def data(of_model: t.Sequence[Planned]) -> dict[str, t.Any]:
    """Return what the page knows of a model, for the quants of the site.

    `choices` has for each choice a row for each of `contexts`: bytes of the KV cache of each GPU and of the host, then of
    the compute buffers likewise. `experts` has such rows by quant, since experts in RAM are copied for large batches.
    `weights` has for each quant, placement and number of GPUs the bytes of each GPU and of the host.
    """
    first = of_model[0]
    models = {}
    for quant in dict.fromkeys(one.quant for one in of_model):
        try:
            models[quant] = anatomy_of(source.model(first.model, quant))
        except ValueError:
            continue
    if not models:
        return {}
    anatomy = next(iter(models.values()))
    return {
        "name": catalog.model(first.model)["name"],
        "slug": first.slug,
        "model": first.model,
        "contexts": contexts(anatomy),
        "shape": _shape(anatomy),
        "output": {str(slots or "shared"): 4 * anatomy.vocab * (slots or DEFAULT_SLOTS) for slots in SLOTS},
        # Of what is on GPUs alone, neither caches nor buffers depend on the types of the weights.
        "choices": _rows(anatomy, ("gpu", "host")),
        "experts": {quant: _rows(of_quant, ("experts",)) for quant, of_quant in models.items()},
        "weights": {quant: _weights(of_quant) for quant, of_quant in models.items()},
    }


def _rows(anatomy: Anatomy, placements: tuple[str, ...]) -> dict[str, list[list[int]]]:
    found = {}
    for choice in choices(anatomy):
        if choice.placement in placements:
            # What llama-server refuses is not offered.
            with contextlib.suppress(LaunchRefused):
                found[choice.key] = [
                    [*_kv(anatomy, choice, context), *_compute(anatomy, choice, context)]
                    for context in contexts(anatomy)
                ]
    return found


def _kv(anatomy: Anatomy, choice: Choice, context: int) -> list[int]:
    """Return the bytes of cache and state of each GPU, and of the host."""
    options = options_of(choice.launch(context), anatomy, choice.gpus)
    caches = prepare(anatomy, options)
    sums = [0] * (choice.gpus + 1)
    layers = layer_devices(anatomy.n_layer, None, split_of(options, [_ANY_BYTES] * choice.gpus))
    for device, cache, state in zip(layers, caches.cache, caches.state, strict=False):
        sums[device] += cache.host + state.host if device == HOST else cache.gpu + state.gpu
    return sums


def _compute(anatomy: Anatomy, choice: Choice, context: int) -> list[int]:
    """Return the bytes of the compute buffers of each GPU, and of the host: the same for all block types of the cache."""
    like = choice._replace(cache_type="f16" if choice.cache_type == "f16" else "q8_0")
    found = _allocation(anatomy, like, context)
    return [*found.compute, found.host_compute]


def _allocation(anatomy: Anatomy, choice: Choice, context: int) -> Allocation:
    options = options_of(choice.launch(context), anatomy, choice.gpus)
    return allocate(anatomy, options, [_ANY_BYTES] * choice.gpus)


def _weights(anatomy: Anatomy) -> dict[str, list[int]]:
    """Return the weights of each GPU and of the host, by placement and number of GPUs."""
    found = {}
    for choice in choices(anatomy):
        key = f"{choice.placement}/{choice.gpus}"
        if key not in found:
            allocation = _allocation(anatomy, choice, CONTEXTS[0])
            found[key] = [*allocation.weights, allocation.host_weights]
    return found


def _shape(anatomy: Anatomy) -> str:
    """Return the numbers of a config.json by which the page knows the shape again."""
    get = anatomy.get
    experts = int(get("expert_count") or 0)
    width = get("expert_feed_forward_length") if experts else get("feed_forward_length")
    layer = anatomy.layers[0]
    heads = "latent" if anatomy.mla else f"{layer.kv_heads}x{layer.key_length}"
    if isinstance(width, (list, tuple)):
        width = width[0]
    return "/".join(map(str, (anatomy.n_trunk, anatomy.embd, layer.heads, heads, width, experts, anatomy.vocab)))


def common(engine: str) -> dict[str, t.Any]:
    """Return what the page knows besides models: GPUs with their free memory, bits of quants, what is kept in reserve."""
    reserve = Reserve()
    gpus = []
    for name in catalog.names("gpu"):
        gpu = hosts.gpu(name)
        # Of memory that GPU and host share, each byte counts twice: the plans know how, this page does not.
        if gpu["memory_free_bytes"] and not gpu["unified_memory"]:
            gpus.append(
                {
                    "name": catalog.gpu(name)["name"],
                    "free": gpu["memory_free_bytes"],
                    "overhead": sum(line.bytes for line in overhead_lines(engine, gpu["compute_capability"])),
                    "free_text": words.size(gpu["memory_free_bytes"]),
                    "capability": gpu["compute_capability"] or "0.0",
                }
            )
    quants = {}
    for name in catalog.names("quant"):
        bits = (catalog.quant(name).get("published_bits_per_weight") or {}) if name else {}
        if bits.get("p10") and bits.get("p90"):
            quants[name] = [bits["p10"], bits["p90"]]
    return {
        "gpus": gpus,
        "counts": list(GPUS["gpu"]),
        "slots": [str(slots or "shared") for slots in SLOTS],
        "types": list(CACHE_TYPES),
        "bits": quants,
        "growth": pool_growth_bytes(engine),
        "reserve": reserve.vram_bytes_per_gpu,
    }
