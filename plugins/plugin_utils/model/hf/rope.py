# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotary positions: base frequency, and scaling beyond the context a model was first trained with.

The keys are those the converter writes. Llama 3's and LongRope's factors become tensors instead (checkpoint.rope_factors);
YaRN and linear scaling become keys, and llama.cpp applies them at every context length.
"""

from __future__ import annotations

from .config import Config
from .keys import Keys

_PLAIN = ("", "default", "mrope", "proportional", "none")


def rope(c: Config, k: Keys, base: float = 10000.0) -> None:
    """Put base frequencies and scaling; `base` where the config has no `rope_theta`."""
    both = c.section("rope_parameters", "rope_scaling")
    full = both.section("full_attention") if both.has("full_attention") else both
    sliding = both.section("sliding_attention")
    # Some configs list a base per kind of layer.
    if isinstance(c.values.get("rope_theta"), (list, tuple)):
        listed = c.numbers("rope_theta")
        k.put(rope__freq_base=listed[0], rope__freq_base_swa=listed[1] if len(listed) > 1 else None)
    else:
        theta = full.number(
            "rope_theta", default=c.number("rope_theta", "rope_theta_global", "global_rope_theta", default=base)
        )
        k.put(
            rope__freq_base=None if theta is None else float(theta),
            rope__freq_base_swa=sliding.number(
                "rope_theta", default=c.number("rope_local_base_freq", "swa_rope_theta", "local_rope_theta")
            ),
        )
    _scaling(c, full, k)
    if both.has("mrope_section"):
        sections = both.counts("mrope_section", 1)[:4]
        k.put(rope__dimension_sections=sections + [0] * (4 - len(sections)))


def _scaling(c: Config, s: Config, k: Keys) -> None:
    kind = s.text("rope_type", "type").lower()
    factor = s.number("factor", low=0)
    trained = s.count(
        "original_max_position_embeddings", default=c.count("original_max_position_embeddings", default=0)
    )
    k.checkpoint(rope_factors={"llama3": "llama3", "longrope": "longrope", "su": "longrope"}.get(kind, "none"))
    if kind in ("yarn", "linear") and factor is not None:
        k.put(rope__scaling__type=kind, rope__scaling__factor=float(factor))
        if kind == "yarn":
            k.put(
                rope__scaling__original_context_length=trained or k.get("context_length"),
                rope__scaling__attn_factor=s.number("attention_factor", "attn_factor"),
                rope__scaling__yarn_beta_fast=s.number("beta_fast"),
                rope__scaling__yarn_beta_slow=s.number("beta_slow"),
            )
        k.warnings.append(_stretched(kind, factor, trained, k.get("context_length")))
    elif kind in ("longrope", "su"):
        k.put(rope__scaling__original_context_length=trained or None)
    elif kind == "dynamic":
        _dynamic(s, c, k)
    elif kind not in (*_PLAIN, "llama3", "yarn", "linear"):
        k.warnings.append("the way positions are scaled is not known here and was left out")


def _stretched(kind: str, factor: float, trained: int, context: int) -> str:
    """Return the warning that positions are scaled, and what the file names as its context."""
    text = f"positions are scaled ({kind}, factor {factor:g}"
    text += f", over {trained} tokens)" if trained else ")"
    text += ": the file carries it as rope.scaling keys, and llama.cpp applies it at every context length"
    reach = int(trained * factor)
    if reach > context:
        text += f"; the file names a context of {context} tokens, ask for up to {reach} with ctx_size"
    return text


def _dynamic(s: Config, c: Config, k: Keys) -> None:
    """Put Hunyuan's scaling, which changes nothing but the base: theta * alpha^(d / (d - 2))."""
    alpha = s.number("alpha")
    width = c.head_width
    if alpha and alpha > 0 and width > 2:
        k.put(rope__freq_base=k.get("rope.freq_base") * alpha ** (width / (width - 2)))
