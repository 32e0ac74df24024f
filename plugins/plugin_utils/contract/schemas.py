# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract as JSON Schema: one document for each value that crosses the collection's border."""

from __future__ import annotations

import json

from .base import SCHEMA_VERSION, Contract
from .gguf import Gguf
from .hardware import Hardware
from .helmfile_values import ChartValues, HelmfileValues
from .host import InferenceHost
from .launch import Launch
from .measured import Measured
from .memory import MemoryEstimate
from .plan import Plan
from .request import ModelWish

PUBLISHED: dict[str, type[Contract]] = {
    "gguf": Gguf,
    "hardware": Hardware,
    "helmfile_values": HelmfileValues,
    "inference_host": InferenceHost,
    "inference_model": ModelWish,
    "launch": Launch,
    "measured": Measured,
    "memory_estimate": MemoryEstimate,
    "plan": Plan,
}


def documents() -> dict[str, str]:
    """Return the text of each schema by its file name."""
    return {f"{name}.schema.json": _text(name, contract) for name, contract in PUBLISHED.items()}


def chart_document() -> str:
    """Return the text of the chart's values.schema.json, in the draft that every Helm 3 reads."""
    schema = ChartValues.model_json_schema()
    # Helm adds `global` to the values of every chart.
    schema["properties"]["global"] = {"type": "object"}
    return _dumped({"$schema": "http://json-schema.org/draft-07/schema#", **schema})


def _text(name: str, contract: type[Contract]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://www.prositronic.eu/schemas/{SCHEMA_VERSION}/{name}.schema.json",
        **contract.model_json_schema(),
    }
    return _dumped(schema)


def _dumped(schema: dict[str, object]) -> str:
    return json.dumps(schema, indent=2, sort_keys=False) + "\n"
