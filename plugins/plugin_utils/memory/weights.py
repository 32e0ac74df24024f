# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where every tensor of the model lies, and what it takes there.

Source: `llama_model::load_tensors` and `llama_model_loader` of llama.cpp 0.7.0.
"""

from __future__ import annotations

import re
import typing as t

from ...module_utils.ggml_types import tensor_bytes
from ..model.model import Tensor
from .alignment import CPU_ALIGNMENT, PINNED_ALIGNMENT, cuda_bytes
from .anatomy import Anatomy
from .context import pad
from .placement import HOST, device_position
from .refusals import LaunchRefused

# What --cpu-moe and --n-cpu-moe move to the host: routed experts, with their biases and scales.
EXPERTS = re.compile(r"\.ffn_(up|down|gate|gate_up)_(ch|)exps")
ROPE_FACTORS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
ON_HOST = ("token_embd.weight", "per_layer_token_embd.weight")
WITH_FIRST_BLOCK = ("per_layer_model_proj.weight", "per_layer_proj_norm.weight")
# Blocks for multi-token prediction load only with it, but these tensors of theirs load always.
ALWAYS_LOADED = {
    "step35": re.compile(
        r"^(attn_q_norm|attn_k_norm|attn_gate|ffn_(gate|up|down)|exp_.*|nextn\.(embed_tokens|shared_head_head"
        r"|shared_head_norm))\."
    ),
    "glm-dsa": re.compile(r"^exp_probs_b\."),
    "deepseek32": re.compile(r"^exp_probs_b\."),
}
# These make the second copy of tied embeddings even where both are on the host.
COPIES_EMBEDDING_ON_HOST = ("gemma4", "gemma3n")


class Overrides(t.NamedTuple):
    """Tensors that do not follow their block: experts of the first `host_experts` blocks, then `(pattern, device)`."""

    host_experts: int = 0
    patterns: tuple[tuple[str, int], ...] = ()


NO_OVERRIDES = Overrides()


class Size(t.NamedTuple):
    """What a tensor takes on a CUDA device, in pageable and in pinned host memory."""

    gpu: int
    host: int
    pinned: int


def size_of(tensor: Tensor) -> Size:
    """Return what one tensor takes."""
    size = tensor_bytes(tensor.type, tensor.shape)
    return Size(cuda_bytes(size, tensor.type, tensor.shape[0]), pad(size, CPU_ALIGNMENT), pad(size, PINNED_ALIGNMENT))


def _sum(sizes: t.Iterable[Size]) -> Size:
    gpu = host = pinned = 0
    for size in sizes:
        gpu += size.gpu
        host += size.host
        pinned += size.pinned
    return Size(gpu, host, pinned)


def loaded(anatomy: Anatomy, index: int, with_mtp: bool) -> t.Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a block that llama.cpp loads."""
    tensors = anatomy.blocks[index].items()
    if index < anatomy.n_trunk or with_mtp:
        yield from tensors
        return
    pattern = ALWAYS_LOADED.get(anatomy.name)
    if pattern is not None:
        yield from ((name, tensor) for name, tensor in tensors if pattern.search(name))


def uses_rope_factors(anatomy: Anatomy, index: int) -> bool:
    """Whether a block brings a copy of the rope factors to its device."""
    if index >= anatomy.n_trunk:
        return anatomy.name == "step35"
    if anatomy.name == "gemma4":
        return not anatomy.layers[index].windowed
    return True


def device_outside_blocks(name: str, devices: t.Sequence[int]) -> int:
    """Return where a tensor lies that belongs to no block; rope factors have a copy per device instead."""
    if name in ON_HOST:
        return HOST
    return devices[0] if name in WITH_FIRST_BLOCK else devices[-1]


def device_of(anatomy: Anatomy, index: int, name: str, device: int, overrides: Overrides) -> int:
    """Return where a tensor of a block lies, when the block is on `device`."""
    if overrides == NO_OVERRIDES:
        return device
    return next((target for tensor, target in moved(anatomy, overrides)[index] if tensor == name), device)


def moved(anatomy: Anatomy, overrides: Overrides) -> list[tuple[tuple[str, int], ...]]:
    """Return for each block the tensors that an override places, each with where: the others follow their block."""
    key = "moved", overrides
    known = anatomy.memo.get(key)
    if known is None:
        patterns = [(re.compile(pattern), target) for pattern, target in overrides.patterns]
        known = anatomy.memo[key] = [
            tuple(_moved_of_block(anatomy, index, patterns, overrides.host_experts)) for index in range(anatomy.n_layer)
        ]
    return known


def _moved_of_block(
    anatomy: Anatomy, index: int, patterns: list[tuple[re.Pattern[str], int]], host_experts: int
) -> t.Iterator[tuple[str, int]]:
    for name in anatomy.blocks[index]:
        full = f"blk.{index}.{name}"
        target = next((target for pattern, target in patterns if pattern.search(full)), None)
        if target is not None:
            yield name, target
        elif index < host_experts and EXPERTS.search(full):
            yield name, HOST


class _Table(t.NamedTuple):
    """Sums per block: experts, and all the rest."""

    rest: tuple[Size, ...]
    experts: tuple[Size, ...]


def _table(anatomy: Anatomy, with_mtp: bool) -> _Table:
    known = anatomy.memo.get(("weights", with_mtp))
    if known is None:
        rest, experts = [], []
        for index in range(anatomy.n_layer):
            sizes: tuple[list[Size], list[Size]] = ([], [])
            for name, tensor in loaded(anatomy, index, with_mtp):
                sizes[EXPERTS.search(f".{name}") is not None].append(size_of(tensor))
            rest.append(_sum(sizes[0]))
            experts.append(_sum(sizes[1]))
        known = anatomy.memo["weights", with_mtp] = _Table(tuple(rest), tuple(experts))
    return known


def weight_bytes(
    anatomy: Anatomy,
    devices: t.Sequence[int],
    n_devices: int,
    overrides: Overrides = NO_OVERRIDES,
    pinned: bool = True,
    with_mtp: bool = False,
) -> tuple[list[int], int]:
    """Return the bytes of weights per device, and on the host.

    :param devices: of each block and the output, from `placement.layer_devices`.
    :param pinned: the host's part lies in memory of a GPU's driver (there is a GPU and not `--no-host`).
    """
    gpu = [0] * n_devices
    host = 0

    def put(size: Size, device: int) -> None:
        nonlocal host
        if device == HOST:
            host += size.pinned if pinned else size.host
        else:
            gpu[device] += size.gpu

    def take(size: Size, device: int) -> None:
        put(Size(-size.gpu, -size.host, -size.pinned), device)

    table = _table(anatomy, with_mtp)
    for index, (rest, experts) in enumerate(zip(table.rest, table.experts, strict=True)):
        put(rest, devices[index])
        put(experts, devices[index])
    for index, elsewhere in enumerate(moved(anatomy, overrides)):
        tensors = dict(loaded(anatomy, index, with_mtp)) if elsewhere else {}
        for name, target in elsewhere:
            if name in tensors:
                size = size_of(tensors[name])
                take(size, devices[index])
                put(size, target)
    for size, device in outside_blocks(anatomy, devices, with_mtp):
        put(size, device)
    return gpu, host


def outside_blocks(anatomy: Anatomy, devices: t.Sequence[int], with_mtp: bool) -> t.Iterator[tuple[Size, int]]:
    """Yield what belongs to no block, with the device that it lies on."""
    sizes = anatomy.memo.get("globals")
    if sizes is None:
        sizes = anatomy.memo["globals"] = {name: size_of(tensor) for name, tensor in anatomy.globals.items()}
    output = devices[anatomy.n_layer]
    for name, size in sizes.items():
        if name in ROPE_FACTORS:
            users = {devices[index] for index in range(anatomy.n_layer) if uses_rope_factors(anatomy, index)}
            for device in users:
                yield size, device
        else:
            yield size, device_outside_blocks(name, devices)
    if anatomy.tied and (output != HOST or anatomy.name in COPIES_EMBEDDING_ON_HOST):
        yield sizes["token_embd.weight"], output


def parse_overrides(entries: t.Sequence[str], n_devices: int) -> tuple[tuple[str, int], ...]:
    """Return `--override-tensor`'s entries, `pattern=buffer`, as patterns with the device they name.

    :raises LaunchRefused: an entry has another form, or names a buffer this launch does not have.
    """
    result = []
    for number, entry in enumerate(entries, 1):
        pattern, separator, buffer = entry.rpartition("=")
        device = HOST if buffer == "CPU" else device_position(buffer, n_devices)
        if not separator or device is None:
            raise LaunchRefused(
                f"override_tensor entry {number} is not '<pattern>=<buffer>', with CPU or a device of this launch"
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise LaunchRefused(f"override_tensor entry {number} has no valid pattern: {error}") from error
        result.append((pattern, device))
    return tuple(result)


def block_bytes(anatomy: Anatomy) -> list[tuple[Size, Size]]:
    """Return for each block what its tensors take without routed experts, and what these take."""
    table = _table(anatomy, with_mtp=False)
    return list(zip(table.rest, table.experts, strict=True))


def expert_bytes(anatomy: Anatomy) -> list[dict[str, int]]:
    """Return for each block what each projection of its routed experts (up, gate, down, gate_up) takes on a GPU."""
    known: list[dict[str, int]] | None = anatomy.memo.get("experts")
    if known is None:
        known = anatomy.memo["experts"] = []
        for index in range(anatomy.n_layer):
            sizes: dict[str, int] = {}
            for name, tensor in loaded(anatomy, index, with_mtp=False):
                if match := EXPERTS.search(f".{name}"):
                    sizes[match[1]] = sizes.get(match[1], 0) + size_of(tensor).gpu
            known.append(sizes)
    return known


def output_bytes(anatomy: Anatomy) -> Size:
    """Return what the output takes beside the blocks, with the second copy of tied embeddings."""
    everywhere = [0] * (anatomy.n_layer + 1)
    return _sum(size for size, device in outside_blocks(anatomy, everywhere, with_mtp=False) if device != HOST)
