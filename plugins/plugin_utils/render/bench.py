# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as the words of llama-bench, which has llama-server's options in a form of its own.

Its lists are tried one after another where they are parted by commas, so that devices and shares are parted by slashes and
overrides by semicolons; its switches take 0 or 1.
"""

from __future__ import annotations

import typing as t

from ..contract.base import ContractError
from ..contract.host import InferenceHost
from ..contract.launch import Launch
from ..contract.plan import Plan
from .backends import BACKENDS
from .service import gpus_of

# Every layer that a model may have
_ALL_LAYERS = 999

# Options that llama-bench takes as llama-server does
_SAME = (
    "batch_size",
    "ubatch_size",
    "cache_type_k",
    "cache_type_v",
    "threads",
    "n_cpu_moe",
    "split_mode",
    "main_gpu",
    "flash_attn",
    "load_mode",
    "numa",
)
_SWITCHES = ("no_kv_offload", "no_op_offload", "no_host")
_SEPARATORS = {"device": "/", "tensor_split": "/", "override_tensor": ";"}


def llama_bench_args(
    plan: t.Any,
    host: t.Any,
    model: str,
    depths: t.Any = None,
    prompt_tokens: int = 512,
    generated_tokens: int = 128,
    repetitions: int = 3,
) -> dict[str, t.Any]:
    """Return `{arguments, environment}` for llama-bench with the options of a plan.

    :param depths: tokens of context that are there already, one test each; default is an empty context, and it is told as 0.
    :param model: path of the (first) model file on the host.
    :raises ValueError: in one sentence, for what cannot be measured.
    """
    planned = Plan.read(plan, "plan")
    if planned.launch is None:
        raise ContractError(f"plan: {planned.model.id} does not fit here ({planned.limit}); nothing can be measured")
    counts = {"prompt_tokens": prompt_tokens, "generated_tokens": generated_tokens, "repetitions": repetitions}
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ContractError(f"{name}: give a number of at least 1")
    selection = BACKENDS[planned.engine.backend].selection(gpus_of(planned, InferenceHost.read(host, "host")))
    tests = {
        "model": model,
        "n_prompt": prompt_tokens,
        "n_gen": generated_tokens,
        "n_depth": ",".join(map(str, _depths(depths))),
        "repetitions": repetitions,
    }
    words = [word for key, value in {**tests, **_options(planned.launch)}.items() for word in (_name(key), str(value))]
    return {"arguments": words, "environment": dict(text.split("=", 1) for text in selection)}


def _depths(depths: t.Any) -> list[int]:
    given = [0] if depths is None else depths if isinstance(depths, list) else [depths]
    if not given or any(not isinstance(depth, int) or isinstance(depth, bool) or depth < 0 for depth in given):
        raise ContractError("depths: give tokens of context, such as [0, 8192]")
    return sorted(set(given))


def _options(launch: Launch) -> dict[str, t.Any]:
    """Return the launch's options that concern speed, in llama-bench's form."""
    given = launch.plain()
    options: dict[str, t.Any] = {key: given[key] for key in _SAME if key in given}
    options |= {key: int(given[key]) for key in _SWITCHES if key in given}
    layers = given.get("n_gpu_layers")
    if layers is not None:
        options["n_gpu_layers"] = layers if isinstance(layers, int) else _ALL_LAYERS
    if given.get("cpu_moe"):
        options["n_cpu_moe"] = _ALL_LAYERS
    if given.get("no_repack"):
        options["repack"] = 0
    for key, separator in _SEPARATORS.items():
        if given.get(key):
            options[key] = separator.join(f"{part:g}" if isinstance(part, float) else str(part) for part in given[key])
    return options


def _name(key: str) -> str:
    return "--" + key.replace("_", "-")
