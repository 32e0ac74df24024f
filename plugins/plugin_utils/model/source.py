# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a user may name as a model, made into a `Model`."""

from __future__ import annotations

import functools
import json
import typing as t

from ..contract.base import ContractError
from . import from_catalog
from .from_catalog import quantised
from .from_gguf import from_gguf
from .model import Model


def model(value: t.Any, quant: str | None = None) -> Model:
    """Return the model that `value` names.

    :param value: a catalog id, or the value of the module gguf_info or of the filter from_hf_config.
    :param quant: what a model that is not a file is quantised to, such as Q4_K_M.
    :raises ValueError: for a value that is none of these, and for a quant that the model cannot have.
    """
    if isinstance(value, Model):
        return value
    if isinstance(value, str):
        return from_catalog.model(value, quant)
    if isinstance(value, dict) and "tensors" in value:
        return _of_file(json.dumps(value, sort_keys=True))
    if isinstance(value, dict) and "metadata" in value:
        return quantised(value, quant)
    raise ContractError(
        "model: give a catalog id such as 'deepseek-v3.1', the gguf that prositronic.infra.gguf_info returns,"
        " or a config.json through the filter prositronic.infra.from_hf_config"
    )


@functools.lru_cache(maxsize=8)  # a play asks about the same file again and again
def _of_file(header: str) -> Model:
    return from_gguf(json.loads(header))
