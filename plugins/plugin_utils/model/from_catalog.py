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
    """Return the model that the catalog knows as `name`, quantised as :func:`quantised` says.

    :raises CatalogError: the catalog does not know this model.
    :raises ContractError: as :func:`quantised`.
    """
    return _model(catalog.model(name)["id"], quant_name if quant_name is None else str(quant_name).upper())


@functools.lru_cache(maxsize=32)  # a plan tries the same few many times
def _model(identifier: str, quant_name: str | None) -> Model:
    return quantised(catalog.model(identifier), quant_name)


def quantised(value: Mapping[str, t.Any], quant_name: str | None) -> Model:
    """Return the model of `value`: GGUF keys as `metadata`, and what a catalog entry has besides, all of it optional.

    A recipe of llama-quantize gives the tensors exactly (basis `recipe`). A publisher's own mix is known by its size only:
    where the catalog has that, the tensors are assumed to make up this size (basis `assumed`).

    :raises ContractError: no quant is named, it is neither a recipe nor a mix whose size is known, or the metadata do not
        describe an architecture that is known.
    """
    metadata = value["metadata"]
    identifier = str(value.get("id") or "")
    if metadata is None:
        raise ContractError(
            f"model '{identifier[:80]}': the catalog does not know its tensors; pass the header of a GGUF file (gguf_info)"
        )
    if not isinstance(metadata, Mapping):
        raise ContractError("model: 'metadata' must be a mapping of GGUF keys such as general.architecture")
    name = str(value.get("name") or metadata.get("general.name") or identifier or "model")
    if not quant_name:
        raise ContractError(f"model '{(identifier or name)[:80]}': say what it is quantised to, such as quant='Q4_K_M'")
    keys = {**metadata, "general.name": name}
    if value.get("licence"):
        keys["general.license"] = str(value["licence"])
    warnings = tuple(map(str, value.get("warnings") or ()))
    label = str(quant_name).upper()
    if mix.is_mix(label):
        size_bytes = mix.published_bytes(identifier, label)
        tensors = mix.of_size(architecture.tensors(keys), keys, size_bytes)
        assumed = f"{label} is a publisher's own mix: its size is published, the types of its tensors are assumed"
        return Model(identifier, name, keys, tensors, quant=label, basis="assumed", warnings=(*warnings, assumed))
    recipe = quant.recipe_name(label)
    tensors = quant.quantize(architecture.tensors(keys), keys, recipe)
    return Model(identifier or name, name, keys, tensors, quant=recipe, basis="recipe", warnings=warnings)
