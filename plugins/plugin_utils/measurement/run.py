# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules saw of a llama-server or a llama-bench, as a run of the contract beside the plan that it belongs to."""

from __future__ import annotations

import typing as t

from .._pydantic import ConfigDict
from ..catalog import access as catalog
from ..contract.base import Contract, ContractError
from ..contract.host import InferenceHost
from ..contract.measured import MeasuredRun
from ..contract.plan import Plan
from ..render.service import gpus_of

_BUFFERS = ("weights_bytes", "kv_bytes", "compute_bytes")


class SeenDevice(Contract):
    """The buffers on a device of the engine."""

    model_config = ConfigDict(extra="allow")

    device: str | None = None


class SeenGpu(Contract):
    """A GPU of the host while the engine ran."""

    model_config = ConfigDict(extra="allow")

    index: int | None = None


class Seen(Contract):
    """What llama_server_info or llama_bench returned: the kinds of what is looked into; other keys may be there too."""

    model_config = ConfigDict(extra="allow")

    model: dict[str, t.Any] | None = None
    host: dict[str, t.Any] | None = None
    devices: list[SeenDevice] | None = None
    gpus: list[SeenGpu] | None = None
    rates: list[dict[str, t.Any]] | dict[str, t.Any] | None = None


def run_of(seen: t.Mapping[str, t.Any], plan: Plan, host: InferenceHost, instance: str | None = None) -> MeasuredRun:
    """Return the run of what was seen.

    :param seen: what llama_server_info or llama_bench returned; it has rates as a list where a benchmark was run.
    :param host: what is known of the host, whose GPUs the plan names by place.
    :raises ContractError: nothing ran.
    """
    model = seen.get("model") or {}
    if not model.get("parameters") or not model.get("bytes"):
        raise ContractError(
            "seen: it tells no model; give what llama_server_info or llama_bench returned of one that ran"
        )
    planned = plan.model.parameters in (None, model["parameters"])
    rates = seen.get("rates")
    benchmark = isinstance(rates, list)
    return MeasuredRun.read(
        {
            "measured_at": seen.get("measured_at"),
            "source": "llama-bench" if benchmark else "llama-server",
            "plan_id": plan.plan_id,
            "instance": instance,
            "engine": {"version": _version(seen.get("build"), plan), "build": seen.get("build")},
            "driver": seen.get("driver"),
            "model": {
                "id": plan.model.id if planned else None,
                "quant": plan.quant.name if planned else None,
                "parameters": model["parameters"],
                "bytes": model["bytes"],
            },
            "launch": plan.launch.plain() if plan.launch else {},
            "devices": _devices(seen, plan, host),
            "host": {**(seen.get("host") or {}), "held_bytes": seen.get("host_held_bytes")},
            "load_seconds": seen.get("load_seconds"),
            "rates": rates if benchmark else _mean_rates(rates),
        },
        "seen",
    )


def another_model(run: MeasuredRun, plan: Plan) -> list[str]:
    """Return a sentence where the engine counted other parameters than the plan has: bytes may be off by a recipe, these not."""
    if plan.model.parameters in (None, run.model.parameters):
        return []
    return [
        f"a model of {run.model.parameters:,} parameters ran, and the plan is for one of {plan.model.parameters:,}; give the"
        " plan that was served"
    ]


def _version(build: t.Any, plan: Plan) -> str | None:
    known = plan.engine.version in catalog.engine_versions()
    return plan.engine.version if known and catalog.engine(plan.engine.version)["build"] == build else None


def _devices(seen: t.Mapping[str, t.Any], plan: Plan, host: InferenceHost) -> list[dict[str, t.Any]]:
    buffers = {entry.get("device"): entry for entry in seen.get("devices") or []}
    held = {entry.get("index"): entry.get("held_bytes") for entry in seen.get("gpus") or []}
    return [
        {
            "name": device.name,
            "uuid": gpu.uuid,
            **{key: buffers.get(device.device, {}).get(key) for key in _BUFFERS},
            "held_bytes": held.get(device.index),
        }
        for device, gpu in zip(plan.memory.devices if plan.memory else [], gpus_of(plan, host), strict=True)
    ]


def _mean_rates(rates: t.Any) -> list[dict[str, t.Any]]:
    """Return what a server counted over all requests, whose depth nobody knows."""
    known = {key: (rates or {}).get(f"{key}_tokens_per_second") for key in ("decode", "prefill")}
    if not any(known.values()):
        return []
    return [{f"{key}_tokens_per_second": value for key, value in known.items()}]
