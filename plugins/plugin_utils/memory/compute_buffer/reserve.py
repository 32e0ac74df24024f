# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes of the compute buffers of one launch."""

from __future__ import annotations

import typing as t

from ..alignment import CPU_ALIGNMENT, CUDA_ALIGNMENT, PINNED_ALIGNMENT
from ..anatomy import Anatomy
from ..crashes import check_graph, graph_capacity
from ..placement import HOST
from ..refusals import UnknownModel
from ..weights import Overrides
from .allocate import buffer_sizes
from .builder import Builder, Setting
from .graphs.deepseek4 import DeepSeek4
from .graphs.gemma3n import Gemma3n
from .graphs.gemma4 import Gemma4
from .graphs.kimi_linear import KimiLinear
from .graphs.lfm2 import Lfm2
from .graphs.mamba_hybrids import FalconH1, GraniteHybrid, Jamba, Mamba, NemotronH
from .graphs.minimax_m3 import MiniMaxM3
from .graphs.mla import LatentAttention, SparseLatentAttention
from .graphs.parallel import Parallel
from .graphs.qwen3next import Qwen3Next
from .graphs.transformer import Transformer
from .representative import representative_blocks
from .schedule import assign, split

GRAPHS: dict[str, type[Builder]] = {
    "deepseek4": DeepSeek4,
    "falcon_h1": FalconH1,
    "gemma3n": Gemma3n,
    "gemma4": Gemma4,
    "granitehybrid": GraniteHybrid,
    "jamba": Jamba,
    "kimi_linear": KimiLinear,
    "lfm2": Lfm2,
    "mamba": Mamba,
    "minimax_m3": MiniMaxM3,
    "mla": LatentAttention,
    "mla_indexed": SparseLatentAttention,
    "nemotron_h": NemotronH,
    "parallel": Parallel,
    "qwen3next": Qwen3Next,
    "transformer": Transformer,
}


# Launches remembered per model; a planner asks for some hundred.
REMEMBERED = 8192


def make(anatomy: Anatomy, setting: Setting, blocks: t.Sequence[int]) -> Builder:
    """Return the builder with the graph of these blocks."""
    builder = GRAPHS[anatomy.architecture.graph](anatomy, setting)
    try:
        (builder.build_drafting if anatomy.drafting else builder.build)(blocks)
    except ZeroDivisionError as error:
        raise UnknownModel(
            f"model {anatomy.model.id}: a number in the header is 0 that {anatomy.name} divides by, such as a count of heads"
        ) from error
    return builder


class Buffers(t.NamedTuple):
    """Bytes of each GPU's compute buffer and of the host's, and whether flash attention is used."""

    gpu: tuple[int, ...]
    host: int
    flash: bool


def compute_buffers(anatomy: Anatomy, setting: Setting, automatic: bool) -> Buffers:
    """Return the buffers of a launch. Launches whose graphs consist of the same parts are worked out once.

    :param automatic: flash attention is on unless the engine finds that it would run elsewhere than its block.
    """
    if len(anatomy.memo) > REMEMBERED:
        anatomy.memo.clear()
    exact = "buffers", setting, automatic
    known = anatomy.memo.get(exact)
    if known is None:
        blocks, twins, shape = representative_blocks(anatomy, setting)
        alike = "shape", setting._replace(devices=(), overrides=Overrides()), automatic, shape
        known = anatomy.memo.get(alike)
        if known is None:
            known = anatomy.memo[alike] = _with_twins(reserve(anatomy, setting, automatic, blocks), twins)
        anatomy.memo[exact] = known
    return known


def _with_twins(buffers: Buffers, twins: t.Iterable[tuple[int, int]]) -> Buffers:
    gpu = list(buffers.gpu)
    for device, like in twins:
        gpu[device] = gpu[like]
    return buffers._replace(gpu=tuple(gpu))


def _in_doubt(anatomy: Anatomy, setting: Setting) -> bool:
    """Whether some attention may run elsewhere than its block: with the host's part in it, or with another GPU's cache."""
    devices = setting.devices
    if HOST in devices or not setting.kv_offload:
        return setting.n_gpus > 0
    return any(devices[layer.cache_layer] != devices[layer.index] for layer in anatomy.layers)


def flash_attention_stays(anatomy: Anatomy, setting: Setting, blocks: t.Sequence[int]) -> bool:
    """Whether every block's attention would run on the block's own device: else `flash_attn auto` turns it off."""
    builder = make(anatomy, setting._replace(probe=True), blocks)
    graph, cpu, devices = builder.graph, builder.cpu, setting.devices
    assign(graph.nodes, graph.leaves, cpu, setting.op_offload)
    return all(
        node.backend == (cpu if devices[node.layer] == HOST else devices[node.layer]) for node in graph.attention
    )


def reserve(anatomy: Anatomy, setting: Setting, automatic: bool, blocks: t.Sequence[int]) -> Buffers:
    """Return the buffers of the largest graph, made of these blocks."""
    if automatic and _in_doubt(anatomy, setting) and not flash_attention_stays(anatomy, setting, blocks):
        setting = setting._replace(flash=False)
    builder = make(anatomy, setting, blocks)
    check_graph(anatomy, _tensors_in_all(builder, setting, blocks))
    graph, cpu = builder.graph, builder.cpu
    assign(graph.nodes, graph.leaves, cpu, setting.op_offload)
    schedule = split(graph.nodes, graph.leaves, cpu, setting.copies)
    host_alignment = PINNED_ALIGNMENT if cpu else CPU_ALIGNMENT
    sizes = buffer_sizes(schedule, (CUDA_ALIGNMENT,) * cpu + (host_alignment,))
    return Buffers(tuple(sizes[:cpu]), sizes[cpu], setting.flash)


def _tensors_in_all(builder: Builder, setting: Setting, blocks: t.Sequence[int]) -> int:
    """Return how many tensors the graph of all blocks has: counted where it may be too many, else extrapolated."""
    anatomy = builder.anatomy
    tensors = builder.tensors()
    if len(blocks) == len(anatomy.own_blocks):
        return tensors
    tensors = tensors * anatomy.n_trunk // len(blocks)
    if tensors * 10 < 9 * graph_capacity(anatomy):
        return tensors
    return make(anatomy, setting, range(anatomy.n_trunk)).tensors()
