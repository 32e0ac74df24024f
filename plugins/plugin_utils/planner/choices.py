# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a wish leaves open: every model and quantisation that it names or allows, before any of them is searched."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing as t

from ...module_utils.ggml_types import tensor_bytes
from .. import quant as quantisation
from ..catalog import access as catalog
from ..catalog import overview
from ..contract.base import ContractError
from ..contract.request import Capabilities, FitRequest, is_open
from ..model import source
from ..model.model import Model
from .merit import merit
from .quants import AUTO, divergence, worth_trying

# What a recipe gives one model may lie below the smallest file published of any.
_SURELY = 0.9


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of a choice without its tensors. `least_bytes` and `least_active_bytes` are surely not above the truth."""

    least_bytes: float
    least_active_bytes: float
    trained_context: float
    low_tier: bool
    merit: float
    divergence: float


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A model in a quantisation. Of choices with the same `group` only the best is of interest.

    `open` is whether the wish left it open, so that a recipe which the model cannot have is passed over.
    """

    value: t.Any
    quant: str | None
    group: t.Hashable
    open: bool

    def model(self) -> Model:
        """Return the model with its tensors.

        :raises ValueError: for a model or quant that does not exist, or not for each other.
        """
        return source.model(self.value, self.quant)

    def known(self) -> Known:
        """Return what is known beforehand; of what the catalog does not have, the model is made to find out."""
        row = overview.models().get(self.value) if isinstance(self.value, str) else None
        recipe = _recipe(self.quant)
        if row is None or recipe is None or recipe.least_bits is None:
            return known_of(self.model())
        least = recipe.least_bits / 8 * _SURELY
        return Known(
            least_bytes=row.parameters * least,
            # What is called active may count an embedding that is looked up, not read.
            least_active_bytes=row.active_parameters * least * 0.5,
            trained_context=row.trained_context,
            low_tier=recipe.tier == "low",
            merit=merit(row.id, row.parameters, row.active_parameters),
            divergence=divergence(recipe, row.architecture),
        )


def known_of(model: Model) -> Known:
    """Return what ranks a model whose tensors are there, by the catalog's figures where it has the model."""
    recipe = _recipe(model.quant)
    row = overview.models().get(model.id)
    size = sum(tensor_bytes(tensor.type, tensor.shape) for tensor in model.tensors)
    parameters = row.parameters if row else sum(math.prod(tensor.shape) for tensor in model.tensors)
    return Known(
        least_bytes=size * _SURELY,
        least_active_bytes=0.0,
        trained_context=float(model.get("context_length") or math.inf),
        low_tier=recipe is not None and recipe.tier == "low",
        merit=merit(model.id, parameters, row.active_parameters if row else parameters),
        divergence=divergence(recipe, model.architecture),
    )


def choices(wish: FitRequest) -> list[Choice]:
    """Return every choice of a wish, in its order; of several models, what is left open is one group for each model.

    :raises CatalogError: for a model that the catalog does not have.
    """
    values = [(value, opened) for entry in _listed(wish.model) for value, opened in _models(entry)]
    several = len(values) > 1
    found = []
    for number, (value, opened) in enumerate(values):
        for quant, free in _quants(value, _listed(wish.quant or (AUTO if opened else None))):
            group: t.Hashable = (number,) if several and (opened or free) else (number, quant)
            found.append(Choice(value, quant, group, opened or free))
    return found


def _models(entry: t.Any) -> list[tuple[t.Any, bool]]:
    """Return the models that an entry of `model` stands for, and whether it left them open."""
    if not is_open(entry):
        return [(catalog.model(entry)["id"] if isinstance(entry, str) else entry, False)]
    wanted = {entry} if isinstance(entry, str) else set(Capabilities.read(entry, "model").capabilities)
    able = [(row.id, True) for row in overview.models().values() if wanted <= row.capabilities]
    if not able:
        raise ContractError(f"model: no model of the catalog has all of {', '.join(sorted(wanted))}; ask for fewer")
    return able


def _quants(value: t.Any, quants: list[t.Any]) -> list[tuple[str | None, bool]]:
    """Return the quants of a model, and whether each was left open. A file has its own."""
    if isinstance(value, dict) and "tensors" in value:
        return [(None, False)]
    found: list[tuple[str | None, bool]] = []
    for quant in quants:
        if isinstance(quant, str) and quant.lower() == AUTO:
            found += [(name, True) for name in worth_trying(_architecture(value))]
        else:
            found.append((quant, False))
    return found


def _architecture(value: t.Any) -> str:
    row = overview.models().get(value) if isinstance(value, str) else None
    if row:
        return row.architecture
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return str(metadata.get("general.architecture", "")) if isinstance(metadata, dict) else ""


@functools.lru_cache(maxsize=128)
def _recipe(quant: str | None) -> overview.QuantRow | None:
    """Return the catalog's row of a recipe, None for a publisher's mix and for what is none."""
    if quant is None:
        return None
    try:
        return overview.quants().get(quantisation.recipe_name(quant))
    except ContractError:
        return None


def _listed(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else [value]
