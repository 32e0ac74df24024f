# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random questions: a model of a random shape in a random quant, and a random launch of it."""

from __future__ import annotations

import dataclasses
import random
import typing as t

from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.from_catalog import quantised
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Model

FEWEST_BLOCKS = 4
MOST_BLOCKS = 14
QUANTS = ("Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS", "BF16")
CACHE_TYPES = ("f16", "f16", "f16", "f16", "f32", "bf16", "q8_0", "q4_0", "q5_1")
# Arrays of these lengths that have nothing to do with blocks.
NOT_PER_BLOCK = ("rope.dimension_sections",)


@dataclasses.dataclass(frozen=True)
class Question:
    """One question; `devices` RPC devices stand for GPUs."""

    model: Model
    launch: dict[str, t.Any]
    devices: int

    @property
    def text(self) -> str:
        blocks = self.model.get("block_count")
        return f"{self.model.id} with {blocks} blocks, {self.model.quant}, {self.devices} devices, {self.launch}"


def question(seed: str) -> Question:
    """Return the question of a seed: always the same."""
    numbers = random.Random(seed)
    while True:
        entry = access.model(numbers.choice(access.names("model")))
        if entry["metadata"]:
            break
    model = quantised({**entry, "metadata": _shaped(entry["metadata"], numbers)}, numbers.choice(QUANTS))
    devices = numbers.choice((0, 1, 1, 2, 2, 3))
    return Question(model, _launch(model, numbers, devices), devices)


def _shaped(metadata: t.Mapping[str, t.Any], numbers: random.Random) -> dict[str, t.Any]:
    """Return the header of a smaller relative: fewer blocks, another vocabulary, another feed-forward."""
    keys = dict(metadata)
    name = keys["general.architecture"]

    def key(short: str) -> str:
        return f"{name}.{short}"

    whole = keys[key("block_count")]
    ahead = keys.get(key("nextn_predict_layers"), 0)
    least = max(FEWEST_BLOCKS, keys.get(key("leading_dense_block_count"), 0) + 2)
    # the blocks that share caches are counted from the end, and DeepSeek V2 Lite is told by its 27 blocks
    if name in ("gemma3n", "gemma4") or (name == "deepseek2" and whole == 27) or whole - ahead <= least:
        blocks = whole
    else:
        blocks = numbers.randint(least, max(least, min(MOST_BLOCKS, whole - ahead))) + ahead
    keys[key("block_count")] = blocks
    for long, value in keys.items():
        if isinstance(value, list) and len(value) >= whole - ahead and not long.endswith(NOT_PER_BLOCK):
            # with a value for the nextn blocks or without
            keys[long] = value[: blocks - ahead] + value[whole - ahead : whole]
    width = keys.get(key("feed_forward_length"))
    # with experts it is their width in some families
    if isinstance(width, int) and width and key("expert_count") not in keys:
        keys[key("feed_forward_length")] = max(256, width // 256 * 256 + 256 * numbers.randint(-2, 4))
    if key("vocab_size") in keys and name not in ("gemma3n", "gemma4"):
        keys[key("vocab_size")] = numbers.choice((32000, 50304, 128256, 151936, 201088))
    return keys


def _launch(model: Model, numbers: random.Random, devices: int) -> dict[str, t.Any]:
    blocks = int(model.get("block_count"))
    launch: dict[str, t.Any] = {
        "ctx_size": numbers.choice((512, 2048, 4096, 8192, 16384, 32768, 65536)),
        "parallel": numbers.choice((1, 1, 2, 3, 4, 8)),
        "ubatch_size": numbers.choice((64, 128, 256, 512, 512, 512, 1024)),
        "flash_attn": numbers.choice(("on", "on", "auto", "off")),
    }

    def sometimes(share: float, **options: t.Any) -> None:
        if numbers.random() < share:
            launch.update(options)

    sometimes(0.2, swa_full=True)
    kind = numbers.choice(CACHE_TYPES)
    if kind != "f16" and not (kind.startswith("q") and launch["flash_attn"] == "off"):
        launch.update(cache_type_k=kind, cache_type_v=kind)
    if devices:
        launch["no_op_offload"] = True
        sometimes(0.35, n_gpu_layers=numbers.randint(0, blocks + 1))
        sometimes(0.15, no_kv_offload=True)
        if model.get("expert_count"):
            sometimes(0.4, n_cpu_moe=numbers.randint(1, blocks))
    if devices > 1:
        launch["tensor_split"] = [float(numbers.randint(1, 4)) for _device in range(devices)]
    return launch


def command_line(launch: t.Mapping[str, t.Any]) -> list[str]:
    """Return a launch as llama.cpp's options (llama-fit-params has no --kv-unified: every slot has its own cache)."""
    words = []
    for option, value in launch.items():
        words.append("--" + option.replace("_", "-"))
        if isinstance(value, list):
            words.append(",".join(f"{part:g}" for part in value))
        elif value is not True:
            words.append(str(value))
    return words
