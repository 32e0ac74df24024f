# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog entry, or any GGUF metadata, becomes a `Model` once it is said what it is quantised to."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping

from .. import architecture, quant
from ..catalog import access as catalog
from ..contract.base import ContractError
from . import mix
from .model import Model


def model(name: str, quant_name: str | None) -> Model:
    """Return the model that the catalog knows as `name`, quantised to `quant_name`.

    A recipe of llama-quantize gives the tensors exactly (basis `recipe`). A publisher's own mix is known by its size only:
    where the catalog has that, the tensors are assumed to make up this size (basis `assumed`).

    :raises CatalogError: the catalog does not know this model.
    :raises ContractError: no quant is named, or it is neither a recipe nor a mix whose size is known.
    """
    return _model(catalog.model(name)["id"], quant_name if quant_name is None else str(quant_name).upper())


@functools.lru_cache(maxsize=32)  # a plan tries the same few many times
def _model(identifier: str, quant_name: str | None) -> Model:
    entry = catalog.model(identifier)
    if entry["metadata"] is None:
        raise ContractError(
            f"model '{identifier}': the catalog does not know its tensors; pass the header of a GGUF file (gguf_info) instead"
        )
    if not quant_name or not mix.is_mix(quant_name) or quant_name in quant.FILE_TYPES:
        return quantised(entry, quant_name)
    metadata = {**entry["metadata"], "general.name": entry["name"]}
    size_bytes = mix.published_bytes(identifier, quant_name)
    tensors = mix.of_size(architecture.tensors(metadata), metadata, size_bytes)
    return Model(identifier, entry["name"], metadata, tensors, quant=quant_name, basis="assumed")


def quantised(value: Mapping[str, t.Any], quant_name: str | None) -> Model:
    """Return the model of `value`, which has GGUF keys as `metadata` and may have `id` and `name`, as a recipe makes it.

    :raises ContractError: the metadata do not describe a known architecture, or the quant is no recipe.
    """
    metadata = value["metadata"]
    if not isinstance(metadata, Mapping):
        raise ContractError("model: 'metadata' must be a mapping of GGUF keys such as general.architecture")
    identifier = str(value.get("id") or metadata.get("general.name") or "model")
    if not quant_name:
        raise ContractError(f"model '{identifier[:80]}': say what it is quantised to, such as quant='Q4_K_M'")
    recipe = quant.recipe_name(quant_name)
    name = str(value.get("name") or metadata.get("general.name") or identifier)
    metadata = {**metadata, "general.name": name}
    tensors = quant.quantize(architecture.tensors(metadata), metadata, recipe)
    return Model(identifier, name, metadata, tensors, quant=recipe, basis="recipe")
