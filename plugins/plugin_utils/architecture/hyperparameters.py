# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an architecture reads from GGUF metadata, checked while it is read.

Two kinds of keys. GGUF's own (`<architecture>.block_count`) are what llama.cpp reads. Facts of a checkpoint that a GGUF
file shows only through the tensors it holds have keys that begin with `checkpoint.`; an architecture has a default for each:

    checkpoint.tied_embeddings      bool   no output.weight: the token embedding serves as output matrix
    checkpoint.attention_bias       text   which of q, k, v, o have a bias: '', 'qkv' or 'qkvo'
    checkpoint.feed_forward_bias    bool   the dense feed-forward matrices have a bias
    checkpoint.qk_norm              bool   queries and keys are normalised
    checkpoint.rope_factors         text   'none', 'llama3' (rope_freqs) or 'longrope' (rope_factors_long and _short)
    checkpoint.key_is_value         bool   full attention layers have no attn_v (Gemma 4)
    checkpoint.expert_layer_period  int    every how many layers experts stand, first at expert_layer_offset (Jamba)
    checkpoint.expert_layer_offset  int
    checkpoint.ssm_norm             bool   the state-space mixer normalises its output (Falcon-H1)
    checkpoint.nextn_embeddings     bool   next-token-prediction blocks carry their own embedding and output matrix
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping

from ..contract.base import ContractError

MAX_LAYERS = 512  # llama.cpp's LLAMA_MAX_LAYERS: it refuses more
MAX_VALUE = 2**31 - 1  # the counts are unsigned 32 bit in the file, signed where llama.cpp uses them


class Hyperparameters:
    """The hyperparameters of one model. A value may be one for all layers or an array with one per layer."""

    def __init__(self, architecture: str, metadata: Mapping[str, t.Any]) -> None:
        self.metadata = metadata
        self.architecture = architecture
        self._read: dict[str, int | tuple[int, ...]] = {}
        self._flags: dict[str, tuple[bool, ...] | None] = {}
        self.layers = self.count("block_count")
        if self.layers > MAX_LAYERS:
            raise ContractError(
                f"model metadata: '{architecture}.block_count' is above {MAX_LAYERS}, more layers than llama.cpp loads"
            )

    def has(self, name: str) -> bool:
        """Tell whether the key is there (with any value)."""
        return self.metadata.get(f"{self.architecture}.{name}") is not None

    def count(self, name: str, default: int | None = None) -> int:
        """Return the value of `<architecture>.<name>`, the same for all layers.

        :raises ContractError: no such key and no default, or its value is no count.
        """
        value = self._value(name, default)
        if isinstance(value, tuple):
            if len(set(value)) == 1:
                return value[0]
            raise ContractError(
                f"model metadata: '{self.architecture}.{name}' must be one number, not an array that differs by layer"
            )
        return value

    def at(self, name: str, layer: int, default: int | None = None) -> int:
        """Return the value of `<architecture>.<name>` in `layer`.

        :raises ContractError: no such key and no default, its value is no count, or the array ends before this layer.
        """
        value = self._value(name, default)
        if not isinstance(value, tuple):
            return value
        if layer >= len(value):
            raise ContractError(
                f"model metadata: '{self.architecture}.{name}' has {len(value)} values for {self.layers} layers"
            )
        return value[layer]

    def checkpoint(self, name: str, default: t.Any) -> t.Any:
        """Return `checkpoint.<name>`, or the architecture's `default`.

        :raises ContractError: its value is not of the default's type.
        """
        value = self.metadata.get(f"checkpoint.{name}")
        if value is None:
            return default
        if type(value) is not type(default) or (isinstance(value, int) and not 0 <= value <= MAX_VALUE):
            raise ContractError(f"model metadata: 'checkpoint.{name}' must be {_KINDS[type(default)]}")
        return value

    def flags(self, name: str, least: int | None = None) -> tuple[bool, ...] | None:
        """Return the array of booleans `<architecture>.<name>`, one per layer; None when it is absent.

        :param least: so many layers it must have, where the last may be left out.
        """
        if name not in self._flags:
            self._flags[name] = self._array_of_flags(name, self.layers if least is None else least)
        return self._flags[name]

    def _array_of_flags(self, name: str, least: int) -> tuple[bool, ...] | None:
        value = self.metadata.get(f"{self.architecture}.{name}")
        if value is None:
            return None
        if (
            not isinstance(value, (list, tuple))
            or not least <= len(value) <= MAX_LAYERS
            or not all(part in (0, 1) for part in value)
        ):
            raise ContractError(f"model metadata: '{self.architecture}.{name}' must be an array of {least} booleans")
        return tuple(bool(part) for part in value)

    def _value(self, name: str, default: int | None) -> int | tuple[int, ...]:
        known = self._read.get(name)
        if known is not None:
            return known
        value = self.metadata.get(f"{self.architecture}.{name}")
        if value is None:
            if default is None:
                raise ContractError(
                    f"model metadata: '{self.architecture}.{name}' is missing, without which the tensors cannot be listed"
                )
            return default
        if isinstance(value, (list, tuple)):
            if not 0 < len(value) <= MAX_LAYERS:
                raise ContractError(f"model metadata: '{self.architecture}.{name}' must have 1 to {MAX_LAYERS} values")
            value = tuple(self._checked(name, part) for part in value)
        else:
            value = self._checked(name, value)
        self._read[name] = value
        return value

    def _checked(self, name: str, value: t.Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_VALUE:
            raise ContractError(
                f"model metadata: '{self.architecture}.{name}' must be a whole number from 0 to {MAX_VALUE}"
            )
        return value

    # What nearly every architecture has, by the names of llama.cpp's hyperparameters.

    @property
    def embedding(self) -> int:
        """Width of the residual stream."""
        return self.count("embedding_length")

    @property
    def vocabulary(self) -> int:
        """Rows of the token embedding: `vocab_size`, else the tokens of the tokenizer (a list, or its length)."""
        if self.has("vocab_size"):
            return self.count("vocab_size")
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        if isinstance(tokens, (list, tuple)):
            return len(tokens)
        if isinstance(tokens, int) and 0 < tokens <= MAX_VALUE:
            return tokens
        raise ContractError(
            f"model metadata: neither '{self.architecture}.vocab_size' nor 'tokenizer.ggml.tokens' tells the vocabulary's size"
        )

    @property
    def nextn(self) -> int:
        """Number of blocks at the end that predict further tokens (multi-token prediction)."""
        return self.count("nextn_predict_layers", 0)

    def is_nextn(self, layer: int) -> bool:
        """Tell whether `layer` is a multi-token-prediction block."""
        return layer >= self.layers - self.nextn

    def heads(self, layer: int) -> int:
        """Query heads of `layer`."""
        return self.at("attention.head_count", layer)

    def kv_heads(self, layer: int) -> int:
        """Key and value heads of `layer`; as many as query heads when the key is absent."""
        return self.at("attention.head_count_kv", layer, self.heads(layer))

    @functools.cached_property
    def head_width(self) -> int:
        """Embedding width by heads: the width of a head where no key tells another."""
        heads = max(self.heads(layer) for layer in range(self.layers))
        if not heads:
            raise ContractError(
                f"model metadata: '{self.architecture}.attention.head_count' is 0, and no key tells the width of a head"
            )
        return self.embedding // heads

    def key_length(self, layer: int) -> int:
        """Width of a key head in `layer`; layers with a sliding window may have their own."""
        return self._length("key", layer)

    def value_length(self, layer: int) -> int:
        """Width of a value head in `layer`."""
        return self._length("value", layer)

    def _length(self, kind: str, layer: int) -> int:
        name = f"attention.{kind}_length"
        if self.has(f"{name}_swa") and self.is_windowed(layer):
            return self.count(f"{name}_swa")
        return self.count(name) if self.has(name) else self.head_width

    def is_windowed(self, layer: int) -> bool:
        """Tell whether `layer` has sliding-window attention, by the pattern array of the file."""
        pattern = self.flags("attention.sliding_window_pattern")
        return bool(pattern and pattern[layer])

    def rope_width(self) -> int:
        """Rotated part of a head."""
        return (
            self.count("rope.dimension_count") if self.has("rope.dimension_count") else self.key_length(self.layers - 1)
        )

    def feed_forward(self, layer: int) -> int:
        """Inner width of the dense feed-forward network of `layer`."""
        return self.at("feed_forward_length", layer)

    @property
    def experts(self) -> int:
        """Experts per layer; 0 for a dense model."""
        return self.count("expert_count", 0)

    def expert_width(self, layer: int) -> int:
        """Inner width of one expert: `expert_feed_forward_length`, else the dense width."""
        return (
            self.count("expert_feed_forward_length")
            if self.has("expert_feed_forward_length")
            else self.feed_forward(layer)
        )

    def shared_expert_width(self, layer: int) -> int:
        """Inner width of all shared experts of a layer together; 0 without any."""
        if self.has("expert_shared_feed_forward_length"):
            return self.count("expert_shared_feed_forward_length")
        return self.count("expert_shared_count", 0) * self.expert_width(layer)


_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", str: "text"}
