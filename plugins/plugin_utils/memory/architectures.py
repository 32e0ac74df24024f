# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What llama.cpp knows of an architecture by its name, because the header does not say it.

Everything else (head counts, MLA, experts, states) is read from the header's keys and tensors in `anatomy`. An
architecture that is not listed here is refused, never taken for a similar one. Source: `load_arch_hparams` and
`build_arch_graph` of `src/models/*.cpp` in llama.cpp 0.7.0.
"""

from __future__ import annotations

import typing as t


class Window(t.NamedTuple):
    """Which layers attend to a sliding window.

    `period` n: every n-th layer is full. `size`: the window where the header is silent. `fixed`: the window whatever the
    header says. `needs_array`: the header must list the layers.
    """

    period: int = 0
    size: int = 0
    fixed: int = 0
    needs_array: bool = False


class Architecture(t.NamedTuple):
    """`graph` names the builder of its compute graph; `recurrent` how its state is sized, where it has one."""

    graph: str = "transformer"
    window: Window | None = None
    recurrent: str | None = None


_PLAIN = Architecture()

ARCHITECTURES: dict[str, Architecture] = {
    "afmoe": Architecture("transformer", Window(period=4)),
    "apertus": _PLAIN,
    "bailingmoe2": _PLAIN,
    "cohere2": Architecture("parallel", Window(period=4, size=4096)),
    "command-r": Architecture("parallel"),
    "deci": _PLAIN,
    "deepseek2": Architecture("mla"),
    "deepseek32": Architecture("mla_indexed"),
    "deepseek4": Architecture("deepseek4", Window()),
    "dots1": _PLAIN,
    "ernie4_5": _PLAIN,
    "ernie4_5-moe": _PLAIN,
    "exaone": _PLAIN,
    "exaone4": Architecture("transformer", Window(period=4, size=4096)),
    "falcon-h1": Architecture("falcon_h1", recurrent="mamba"),
    "gemma": _PLAIN,
    "gemma2": Architecture("transformer", Window(period=2, size=4096)),
    "gemma3": Architecture("transformer", Window(period=6)),
    "gemma3n": Architecture("gemma3n", Window(period=5)),
    "gemma4": Architecture("gemma4", Window(needs_array=True)),
    "glm-dsa": Architecture("mla_indexed"),
    "glm4": _PLAIN,
    "glm4moe": _PLAIN,
    "gpt-oss": Architecture("transformer", Window(period=2)),
    "granite": _PLAIN,
    "granitehybrid": Architecture("granitehybrid", recurrent="mamba"),
    "granitemoe": _PLAIN,
    "hunyuan-dense": _PLAIN,
    "hunyuan-moe": _PLAIN,
    "internlm2": _PLAIN,
    "jamba": Architecture("jamba", recurrent="mamba"),
    "kimi-linear": Architecture("kimi_linear", recurrent="kda"),
    "lfm2": Architecture("lfm2", recurrent="shortconv"),
    "lfm2moe": Architecture("lfm2", recurrent="shortconv"),
    "llama": _PLAIN,
    "llama4": Architecture("transformer", Window(period=4, fixed=8192)),
    "mamba2": Architecture("mamba", recurrent="mamba"),
    "mimo2": Architecture("transformer", Window(needs_array=True)),
    "minimax-m2": _PLAIN,
    "minimax-m3": Architecture("minimax_m3"),
    "mistral3": _PLAIN,
    "nemotron_h": Architecture("nemotron_h", recurrent="mamba"),
    "nemotron_h_moe": Architecture("nemotron_h", recurrent="mamba"),
    "olmo2": Architecture("transformer", Window(period=4)),
    "olmoe": _PLAIN,
    "phi3": _PLAIN,
    "phimoe": _PLAIN,
    "qwen2": _PLAIN,
    "qwen2moe": _PLAIN,
    "qwen2vl": _PLAIN,
    "qwen3": _PLAIN,
    "qwen35": Architecture("qwen3next", recurrent="mamba"),
    "qwen35moe": Architecture("qwen3next", recurrent="mamba"),
    "qwen3moe": _PLAIN,
    "qwen3next": Architecture("qwen3next", recurrent="mamba"),
    "qwen3vl": _PLAIN,
    "qwen3vlmoe": _PLAIN,
    "seed_oss": _PLAIN,
    "smollm3": _PLAIN,
    "starcoder2": _PLAIN,
    "step35": Architecture("transformer", Window(needs_array=True)),
}
