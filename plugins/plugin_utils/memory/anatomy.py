# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The structure of a model, layer by layer: what its header states, worked out once per model.

Keys are GGUF's, without the architecture's prefix. Sources: `load_arch_hparams` of `src/models/*.cpp` and `llama_hparams`
of llama.cpp 0.7.0.
"""

from __future__ import annotations

import dataclasses
import typing as t
import weakref

from ..model.model import Model, Tensor
from .architectures import ARCHITECTURES, Architecture, Window
from .refusals import UnknownModel

GLM_DSA_SHARED_INDEXERS_FROM = 1_048_576


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """One block. Widths are elements per cell of the cache; 0 where the block has no such cache.

    `in_cache`: the block counts as one with attention (even of width 0). `cache_layer`: the block whose cache it reads.
    `indexer_k`, `indexer_v`: the cache of the lightning indexer. `rolling`, `state`: f32 elements per sequence of the
    convolution's and the recurrent state. `ratio`: the compression of the cache (deepseek4), 0 for none.
    """

    index: int
    heads: int
    kv_heads: int
    key_length: int
    value_length: int
    windowed: bool
    in_cache: bool
    cache_layer: int
    k_width: int
    v_width: int
    indexer_k: int
    indexer_v: int
    rolling: int
    state: int
    ratio: int
    feed_forward: int


@dataclasses.dataclass(frozen=True, eq=False)
class Anatomy:
    """A model's structure. `n_layer` counts all blocks, `n_trunk` those of the main context (without nextn blocks).

    `drafting`: the structure as the context for multi-token prediction sees it, which has the nextn blocks alone.
    """

    model: Model
    name: str
    architecture: Architecture
    n_layer: int
    n_trunk: int
    embd: int
    vocab: int
    trained: int
    window: int
    mla: bool
    layers: tuple[Layer, ...]
    globals: t.Mapping[str, Tensor]
    blocks: tuple[t.Mapping[str, Tensor], ...]
    tied: bool
    keys: t.Mapping[str, t.Any]
    drafting: bool = False
    memo: dict[t.Any, t.Any] = dataclasses.field(default_factory=dict)

    def get(self, key: str, default: t.Any = None) -> t.Any:
        """Return the value of a key of this architecture."""
        value = self.keys.get(key)
        return default if value is None else value

    @property
    def own_blocks(self) -> range:
        """The blocks of this context's graph."""
        return range(self.n_trunk, self.n_layer) if self.drafting else range(self.n_trunk)


_KNOWN: weakref.WeakKeyDictionary[Model, Anatomy] = weakref.WeakKeyDictionary()


def anatomy_of(model: Model) -> Anatomy:
    """Return the structure of `model`; worked out at the first call.

    :raises UnknownModel: its architecture is not known, or its header lacks a key that the rules need.
    """
    known = _KNOWN.get(model)
    if known is None:
        known = _KNOWN[model] = _read(model)
    return known


# Keys that are numbers in every header; those in the second set may be a list with a number for each block.
NUMBERS = frozenset(
    {
        "altup.num_inputs",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.indexer.block_size",
        "attention.indexer.head_count",
        "attention.indexer.key_length",
        "attention.indexer.top_k",
        "attention.key_length",
        "attention.key_length_swa",
        "attention.kv_lora_rank",
        "attention.output_group_count",
        "attention.shared_kv_layers",
        "attention.sliding_window",
        "attention.value_length",
        "attention.value_length_swa",
        "block_count",
        "context_length",
        "embedding_length",
        "embedding_length_per_layer_input",
        "expert_count",
        "expert_group_count",
        "expert_group_used_count",
        "expert_used_count",
        "feed_forward_length",
        "full_attention_interval",
        "hyper_connection.count",
        "kda.head_dim",
        "leading_dense_block_count",
        "n_deepstack_layers",
        "nextn_predict_layers",
        "rope.dimension_count",
        "shortconv.l_cache",
        "ssm.conv_kernel",
        "ssm.group_count",
        "ssm.inner_size",
        "ssm.state_size",
        "ssm.time_step_rank",
    }
)
PER_BLOCK = frozenset(
    {"attention.compress_ratios", "attention.head_count", "attention.head_count_kv", "feed_forward_length"}
)


def _check_numbers(model: Model, keys: t.Mapping[str, t.Any]) -> None:
    for key in NUMBERS | PER_BLOCK:
        value = keys.get(key)
        values = value if key in PER_BLOCK and isinstance(value, (list, tuple)) and value else [value]
        if value is not None and not all(isinstance(item, int) and item >= 0 for item in values):
            raise UnknownModel(
                f"model {model.id}: '{model.architecture}.{key}' in the header is not a number from 0 on"
            )


def _read(model: Model) -> Anatomy:
    name = model.architecture
    architecture = ARCHITECTURES.get(name)
    if architecture is None:
        raise UnknownModel(
            f"model {model.id}: the memory of architecture '{name}' is not known; known are {', '.join(ARCHITECTURES)}"
        )
    prefix = f"{name}."
    keys = {key[len(prefix) :]: value for key, value in model.metadata.items() if key.startswith(prefix)}
    _check_numbers(model, keys)
    n_layer = _required(model, keys, "block_count")
    embd = _required(model, keys, "embedding_length")
    n_trunk = n_layer - int(keys.get("nextn_predict_layers") or 0)
    if n_trunk <= 0:
        raise UnknownModel(f"model {model.id}: '{name}.nextn_predict_layers' leaves none of its {n_layer} blocks")
    shared, blocks = _grouped(model.tensors, n_layer)
    window, windowed = _windows(model, keys, architecture.window, n_layer)
    layers = _layers(model, keys, architecture, blocks, n_layer, n_trunk, embd, windowed)
    embedding = shared.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise UnknownModel(f"model {model.id}: there is no matrix 'token_embd.weight' among its tensors")
    return Anatomy(
        model=model,
        name=name,
        architecture=architecture,
        n_layer=n_layer,
        n_trunk=n_trunk,
        embd=embd,
        vocab=embedding.shape[1],
        trained=int(keys.get("context_length") or 0) or _required(model, keys, "context_length"),
        window=window,
        mla="attention.key_length_mla" in keys,
        layers=layers,
        globals=shared,
        blocks=blocks,
        tied="output.weight" not in shared,
        keys=keys,
    )


def drafting_anatomy(anatomy: Anatomy) -> Anatomy:
    """Return the structure that the context for multi-token prediction has: attention in the nextn blocks, nothing else.

    Their attention is that of the last trunk block with attention, without an indexer.

    :raises UnknownModel: the model has no such blocks.
    """
    known = anatomy.memo.get("drafting")
    if known is not None:
        return t.cast(Anatomy, known)
    attending = next((layer for layer in reversed(anatomy.layers[: anatomy.n_trunk]) if layer.k_width), None)
    if anatomy.n_trunk == anatomy.n_layer or attending is None:
        raise UnknownModel(
            f"spec_type: draft-mtp needs blocks for multi-token prediction, and {anatomy.model.id} has none"
        )
    layers = tuple(
        dataclasses.replace(
            attending if layer.index >= anatomy.n_trunk else layer,
            index=layer.index,
            cache_layer=layer.index,
            in_cache=layer.index >= anatomy.n_trunk,
            k_width=attending.k_width if layer.index >= anatomy.n_trunk else 0,
            v_width=attending.v_width if layer.index >= anatomy.n_trunk else 0,
            indexer_k=0,
            indexer_v=0,
            rolling=0,
            state=0,
        )
        for layer in anatomy.layers
    )
    graph = {"mla_indexed": "mla"}.get(anatomy.architecture.graph, anatomy.architecture.graph)
    made = dataclasses.replace(
        anatomy, layers=layers, architecture=anatomy.architecture._replace(graph=graph), drafting=True, memo={}
    )
    anatomy.memo["drafting"] = made
    return made


def _required(model: Model, keys: t.Mapping[str, t.Any], key: str) -> int:
    value = keys.get(key)
    if not isinstance(value, int) or value <= 0:
        raise UnknownModel(f"model {model.id}: the header has no '{model.architecture}.{key}', a positive number")
    return value


def _grouped(tensors: t.Iterable[Tensor], n_layer: int) -> tuple[dict[str, Tensor], tuple[dict[str, Tensor], ...]]:
    """Return the tensors outside blocks, and those of each block by their name within it."""
    shared: dict[str, Tensor] = {}
    blocks: tuple[dict[str, Tensor], ...] = tuple({} for _copy in range(n_layer))
    for tensor in tensors:
        name = tensor.name
        if name.startswith("blk."):
            number, _dot, rest = name[4:].partition(".")
            if number.isdigit() and int(number) < n_layer:
                blocks[int(number)][rest] = tensor
                continue
        shared[name] = tensor
    return shared, blocks


def _per_layer(value: t.Any, n_layer: int, default: int = 0) -> list[int]:
    """Return a key's value for every block: some headers give a number, some a list."""
    if isinstance(value, (list, tuple)):
        values = [int(item) for item in value][:n_layer]
        return values + [values[-1] if values else default] * (n_layer - len(values))
    return [default if value is None else int(value)] * n_layer


def _windows(model: Model, keys: t.Mapping[str, t.Any], rule: Window | None, n_layer: int) -> tuple[int, list[bool]]:
    """Return the window in tokens (0 for none) and which blocks have it."""
    nothing = 0, [False] * n_layer
    if rule is None or (model.architecture == "exaone4" and n_layer != 64):
        return nothing
    stated = keys.get("attention.sliding_window")
    size = int(stated if stated is not None else rule.size or rule.fixed)
    if size == 0:
        return nothing
    if model.architecture == "deepseek4":
        return size, [True] * n_layer
    pattern = keys.get("attention.sliding_window_pattern")
    if isinstance(pattern, (list, tuple)):
        flags = [bool(flag) for flag in pattern][:n_layer]
        return rule.fixed or size, flags + [False] * (n_layer - len(flags))
    if rule.needs_array:
        raise UnknownModel(
            f"model {model.id}: the header has no '{model.architecture}.attention.sliding_window_pattern',"
            " which says the layers with a sliding window"
        )
    period = int(pattern) if isinstance(pattern, int) and pattern > 0 else rule.period
    return rule.fixed or size, [index % period < period - 1 for index in range(n_layer)]


def _layers(
    model: Model,
    keys: t.Mapping[str, t.Any],
    architecture: Architecture,
    blocks: tuple[t.Mapping[str, Tensor], ...],
    n_layer: int,
    n_trunk: int,
    embd: int,
    windowed: list[bool],
) -> tuple[Layer, ...]:
    heads = _per_layer(keys.get("attention.head_count"), n_layer)
    kv_heads = _per_layer(keys.get("attention.head_count_kv", keys.get("attention.head_count")), n_layer)
    feed_forward = _per_layer(keys.get("feed_forward_length"), n_layer)
    most_heads = max(heads, default=0)
    head_length = embd // most_heads if most_heads else 0
    key_length = int(keys.get("attention.key_length") or head_length)
    value_length = int(keys.get("attention.value_length") or head_length)
    key_swa = int(keys.get("attention.key_length_swa") or key_length)
    value_swa = int(keys.get("attention.value_length_swa") or value_length)
    mla = "attention.key_length_mla" in keys
    latent = int(keys.get("attention.kv_lora_rank") or 0) + int(keys.get("rope.dimension_count") or 0)
    recurrent = _recurrent_layers(keys, architecture, kv_heads, feed_forward, n_layer, n_trunk, model.architecture)
    rolling, state = _state_sizes(keys, architecture.recurrent, embd, most_heads)
    owners = _cache_owners(model.architecture, keys, n_layer, windowed)
    indexed = _indexer_layers(model.architecture, keys, n_trunk)
    ratios = _per_layer(keys.get("attention.compress_ratios"), n_layer)
    layers = []
    for index in range(n_layer):
        in_trunk = index < n_trunk
        has_state = in_trunk and recurrent[index]
        attends = in_trunk and _attends(model.architecture, architecture, kv_heads[index], has_state)
        own = owners[index]
        length_k = key_swa if windowed[index] else key_length
        length_v = value_swa if windowed[index] else value_length
        if mla:
            k_width, v_width = latent, 0
        elif model.architecture == "deepseek4":
            k_width, v_width = key_length, 0
        else:
            k_width, v_width = kv_heads[index] * length_k, kv_heads[index] * length_v
        owns = attends and own == index
        index_k = int(keys.get("attention.indexer.key_length") or 0) if index in indexed else 0
        layers.append(
            Layer(
                index=index,
                heads=heads[index],
                kv_heads=kv_heads[index],
                key_length=length_k,
                value_length=length_v,
                windowed=windowed[index],
                in_cache=owns,
                cache_layer=own,
                k_width=k_width if owns else 0,
                v_width=v_width if owns else 0,
                indexer_k=index_k,
                indexer_v=value_length if index_k and model.architecture == "minimax-m3" else 0,
                rolling=rolling if has_state else 0,
                state=state if has_state else 0,
                ratio=ratios[index] if model.architecture == "deepseek4" else 0,
                feed_forward=feed_forward[index],
            )
        )
    return tuple(layers)


def _attends(name: str, architecture: Architecture, kv_heads: int, has_state: bool) -> bool:
    """Whether a block of the trunk is one with attention. deci's blocks all count, those without heads too."""
    if name == "falcon-h1":
        return True
    if architecture.recurrent is None:
        return True
    return kv_heads > 0 and not has_state


def _recurrent_layers(
    keys: t.Mapping[str, t.Any],
    architecture: Architecture,
    kv_heads: list[int],
    feed_forward: list[int],
    n_layer: int,
    n_trunk: int,
    name: str,
) -> list[bool]:
    if architecture.recurrent is None:
        return [False] * n_layer
    stated = keys.get("attention.recurrent_layers")
    if isinstance(stated, (list, tuple)):
        return [index < n_trunk and bool(flag) for index, flag in enumerate(stated)][:n_layer]
    if architecture.graph == "qwen3next":
        interval = int(keys.get("full_attention_interval") or 4)
        return [index < n_trunk and (index + 1) % interval != 0 for index in range(n_layer)]
    if architecture.graph == "nemotron_h":
        return [heads == 0 and width == 0 for heads, width in zip(kv_heads, feed_forward, strict=True)]
    if name in ("falcon-h1", "mamba2"):
        return [True] * n_layer
    return [heads == 0 for heads in kv_heads]


def _state_sizes(keys: t.Mapping[str, t.Any], kind: str | None, embd: int, heads: int) -> tuple[int, int]:
    """Return the f32 elements per sequence of the convolution's state and of the recurrent state."""
    if kind is None:
        return 0, 0
    if kind == "shortconv":
        return embd * (int(keys.get("shortconv.l_cache") or 1) - 1), 0
    kernel = int(keys.get("ssm.conv_kernel") or 1)
    if kind == "kda":
        width = int(keys.get("kda.head_dim") or 0)
        return 3 * (kernel - 1) * heads * width, width * width * heads
    inner = int(keys.get("ssm.inner_size") or 0)
    state = int(keys.get("ssm.state_size") or 0)
    groups = int(keys.get("ssm.group_count") or 0)
    return (kernel - 1) * (inner + 2 * groups * state), state * inner


def _cache_owners(name: str, keys: t.Mapping[str, t.Any], n_layer: int, windowed: list[bool]) -> list[int]:
    """Return the block whose cache each block reads: its own, or for gemma's last blocks an earlier one's."""
    owners = list(range(n_layer))
    first_shared = n_layer
    if name == "gemma4":
        first_shared = n_layer - int(keys.get("attention.shared_kv_layers") or 0)
    elif name == "gemma3n":
        # 20 is written in llama.cpp, not in the header
        first_shared = min(20, n_layer)
    for index in range(first_shared, n_layer):
        owners[index] = first_shared - (2 if windowed[index] else 1)
    return owners


def _indexer_layers(name: str, keys: t.Mapping[str, t.Any], n_trunk: int) -> frozenset[int]:
    """Return the blocks that own a cache of the lightning indexer."""
    if name == "deepseek32":
        return frozenset(range(n_trunk))
    if name == "minimax-m3":
        return frozenset(range(int(keys.get("leading_dense_block_count") or 0), n_trunk))
    if name == "glm-dsa":
        types = keys.get("attention.indexer.types")
        if isinstance(types, (list, tuple)):
            return frozenset(index for index, full in enumerate(types) if full and index < n_trunk)
        if int(keys.get("context_length") or 0) < GLM_DSA_SHARED_INDEXERS_FROM:
            return frozenset(range(n_trunk))
        # from this length on, after two blocks only every fourth owns one
        return frozenset(index for index in range(n_trunk) if index < 2 or (index - 2) % 4 == 0)
    return frozenset()
