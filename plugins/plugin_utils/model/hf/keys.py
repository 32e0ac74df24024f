# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing GGUF metadata: the keys that llama.cpp's converter writes for every architecture, and the list it grows into."""

from __future__ import annotations

import typing as t

from .config import Config


class Keys:
    """The metadata of one model in the making, and what its reader should be warned of."""

    def __init__(self, architecture: str, mtp: bool | None = None) -> None:
        self.architecture = architecture
        self.mtp = (
            mtp  # whether blocks for multi-token prediction are wanted; None: as the files of the architecture are
        )
        self.metadata: dict[str, t.Any] = {"general.architecture": architecture}
        self.warnings: list[str] = []

    def put(self, **values: t.Any) -> None:
        """Set `<architecture>.<key>`; two underscores stand for the dot in a key. None sets nothing."""
        for name, value in values.items():
            if value is not None:
                self.metadata[f"{self.architecture}.{name.replace('__', '.')}"] = value

    def checkpoint(self, **values: t.Any) -> None:
        """Set `checkpoint.<key>`: what only the tensors of a file show."""
        for name, value in values.items():
            self.metadata[f"checkpoint.{name}"] = value

    def get(self, name: str) -> t.Any:
        """Return what was put under the key."""
        return self.metadata.get(f"{self.architecture}.{name}")


def common(c: Config, k: Keys, tied: bool = False, inner: bool = True) -> None:
    """Put what every architecture has.

    :param tied: whether embedding and output are one where the config does not tell (transformers' default of the class).
    :param inner: whether all dense networks are `intermediate_size` wide; the reader puts their widths otherwise.
    """
    k.put(
        block_count=c.layers,
        context_length=c.count("max_position_embeddings", "max_sequence_length", "model_max_length", low=1),
        embedding_length=c.count("hidden_size", "n_embd", "dim", low=1),
        feed_forward_length=c.count("intermediate_size", "n_inner", "hidden_dim", low=1) if inner else None,
        vocab_size=c.count("vocab_size", low=1),
        attention__layer_norm_rms_epsilon=c.number("rms_norm_eps", "norm_eps", "layernorm_epsilon"),
        attention__layer_norm_epsilon=c.number("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"),
    )
    k.checkpoint(tied_embeddings=c.flag("tie_word_embeddings", tied))


def heads(c: Config, k: Keys) -> None:
    """Put attention heads and their width."""
    count = c.count("num_attention_heads", "n_head", "n_heads", low=1)
    k.put(
        attention__head_count=count,
        attention__head_count_kv=c.count("num_key_value_heads", "num_attention_groups", "n_kv_heads", default=count),
        attention__key_length=c.head_width,
        attention__value_length=c.head_width,
    )


def rotated(c: Config, k: Keys, factor: float | None = None) -> None:
    """Put the rotated part of a head: `partial_rotary_factor`, of the config or its rope parameters, else `factor`."""
    rope = c.section("rope_parameters", "rope_scaling")
    rope = rope.section("full_attention") if rope.has("full_attention") else rope
    inner = rope.number("partial_rotary_factor", default=factor, low=0, high=1)
    part = c.number("partial_rotary_factor", default=inner, low=0, high=1)
    k.put(rope__dimension_count=int(c.head_width * (1.0 if part is None else part)))


def biases(c: Config, k: Keys, letters: str = "qkvo", default: bool = False) -> None:
    """Tell which attention matrices have a bias when `attention_bias` is true."""
    k.checkpoint(attention_bias=letters if c.flag("attention_bias", default) else "")


def window(c: Config, k: Keys) -> None:
    """Put the sliding window, and which layers have it when `layer_types` tells."""
    k.put(attention__sliding_window=c.count("sliding_window", default=0))
    if c.has("layer_types"):
        k.put(attention__sliding_window_pattern=windowed(c, c.layers))


def windowed(c: Config, length: int) -> list[bool]:
    """Return for each layer whether `layer_types` gives it a sliding window."""
    return [kind == "sliding_attention" for kind in c.texts("layer_types", length)[:length]]
