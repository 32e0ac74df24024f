# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a Hugging Face config.json: the keys of the language model, checked while they are read.

Whoever wrote the file decides what is in it. So nothing here walks through it: known keys are looked up, and a value that
is not what the key means is refused. Values are not repeated in errors.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ...contract.base import ContractError

MAX_LAYERS = 512  # llama.cpp loads no more
MAX_COUNT = 2**31 - 1
MAX_NUMBER = 1e15  # of the fractions and bases that widths are computed with
MAX_ITEMS = 2 * MAX_LAYERS  # of a list with a value per layer; a few models list blocks that are not converted

# Where multimodal models keep the language model.
_TEXT_SECTIONS = ("text_config", "llm_config", "language_config")


class Config:
    """A config.json, or a section of one; `where` names it in errors."""

    def __init__(self, values: Mapping[str, t.Any], where: str = "config.json") -> None:
        self.values = values
        self.where = where

    @classmethod
    def of(cls, config: t.Any) -> Config:
        """Return the language model's part of `config`: nested sections win over the keys around them.

        :raises ContractError: `config` is no mapping.
        """
        if not isinstance(config, Mapping):
            raise ContractError(
                "config.json: must be a mapping, the parsed content of a Hugging Face model's config.json"
            )
        for section in _TEXT_SECTIONS:
            if isinstance(config.get(section), Mapping):
                return cls({**config, **config[section]})
        return cls(config)

    def with_defaults(self, defaults: Mapping[str, t.Any]) -> Config:
        """Return the same config with values for keys that are absent: what transformers takes for them."""
        return Config(
            {**defaults, **{key: value for key, value in self.values.items() if value is not None}}, self.where
        )

    def has(self, name: str) -> bool:
        """Tell whether the key is there and not null."""
        return self.values.get(name) is not None

    def count(self, *names: str, default: int | None = None, low: int = 0, high: int = MAX_COUNT) -> int:
        """Return the whole number under the first of `names` that is there.

        :raises ContractError: none is there and no default, or the value is no whole number from `low` to `high`.
        """
        name = self._find(names)
        if name is None:
            if default is None:
                raise self.missing(names[0])
            return default
        return self._checked(name, self.values[name], low, high)

    def counts(self, name: str, length: int) -> list[int]:
        """Return the list under `name`, of at least `length` whole numbers."""
        items = self._items(name)
        if len(items) < length:
            raise ContractError(f"{self.where}: '{name}' has {len(items)} values for {length} layers")
        return [self._checked(name, item, 0, MAX_COUNT) for item in items]

    def numbers(self, name: str) -> list[float]:
        """Return the list of numbers under `name`, at least one."""
        items = self._items(name)
        if not items or not all(isinstance(item, (int, float)) and abs(item) <= MAX_NUMBER for item in items):
            raise ContractError(f"{self.where}: '{name}' must be a list of numbers")
        return [float(item) for item in items]

    def texts(self, name: str, length: int) -> list[str]:
        """Return the list under `name`, of at least `length` texts."""
        items = self._items(name)
        if len(items) < length or not all(isinstance(item, str) for item in items):
            raise ContractError(f"{self.where}: '{name}' must be a list of {length} texts, one per layer")
        return items

    def sections(self, name: str, length: int) -> list[Config]:
        """Return the list of sections under `name`, `length` of them."""
        items = self._items(name)
        if len(items) != length or not all(isinstance(item, Mapping) for item in items):
            raise ContractError(f"{self.where}: '{name}' must be a list of {length} mappings, one per layer")
        return [Config(item, f"{self.where}: {name}[{place}]") for place, item in enumerate(items)]

    def number(
        self, *names: str, default: float | None = None, low: float = -MAX_NUMBER, high: float = MAX_NUMBER
    ) -> float | None:
        """Return the number under the first of `names` that is there; None when none is and there is no default."""
        name = self._find(names)
        if name is None:
            return default
        value = self.values[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ContractError(f"{self.where}: '{name}' must be a number from {low:g} to {high:g}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return the boolean under `name`."""
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise ContractError(f"{self.where}: '{name}' must be true or false")
        return value

    def text(self, *names: str, default: str = "") -> str:
        """Return the text under the first of `names` that is there."""
        name = self._find(names)
        if name is None:
            return default
        value = self.values[name]
        if not isinstance(value, str) or len(value) > 1024:
            raise ContractError(f"{self.where}: '{name}' must be a short text")
        return value

    def section(self, *names: str) -> Config:
        """Return the mapping under the first of `names` that is there; an empty one when none is."""
        name = self._find(names)
        if name is None:
            return Config({}, f"{self.where}: {names[0]}")
        value = self.values[name]
        if not isinstance(value, Mapping):
            raise ContractError(f"{self.where}: '{name}' must be a mapping")
        return Config(value, f"{self.where}: {name}")

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return self.count("num_hidden_layers", "n_layers", "n_layer", "num_layers", low=1, high=MAX_LAYERS)

    @property
    def head_width(self) -> int:
        """Width of an attention head: `head_dim`, else hidden size by heads."""
        if self.has("head_dim"):
            return self.count("head_dim", low=1)
        return self.count("hidden_size", low=1) // self.count("num_attention_heads", low=1)

    def missing(self, name: str) -> ContractError:
        """Return the error for a key that must be there."""
        return ContractError(f"{self.where}: '{name}' is missing")

    def _find(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if self.values.get(name) is not None), None)

    def _items(self, name: str) -> list[t.Any]:
        value = self.values.get(name)
        if value is None:
            raise self.missing(name)
        if not isinstance(value, (list, tuple)) or len(value) > MAX_ITEMS:
            raise ContractError(f"{self.where}: '{name}' must be a list of at most {MAX_ITEMS} values")
        return list(value)

    def _checked(self, name: str, value: t.Any, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ContractError(f"{self.where}: '{name}' must be a whole number from {low} to {high}")
        return value
