# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An installed plan that still fits stays: a second run changes nothing, though free memory was never quite the same."""

from __future__ import annotations

from ..contract.host import Instance
from ..contract.launch import Launch
from ..contract.request import FitRequest
from ..memory.context import DEFAULT_UBATCH
from .costs import Costs
from .layout import Layout, Shape, experts_of
from .machine import Device, Machine
from .search import Found, Search


def installed(place: Machine, wish: FitRequest) -> Instance | None:
    """Return the instance that was installed for this very wish, or None."""
    if wish.replan or wish.name is None:
        return None
    return next(
        (
            instance
            for instance in place.host.instances
            if instance.name == wish.name and instance.launch and instance.request_id == wish.identity
        ),
        None,
    )


def installed_on(place: Machine, wish: FitRequest) -> tuple[Instance, tuple[Device, ...]] | None:
    """Return the instance that was installed for this very wish, with its devices; None where one of these is gone."""
    instance = installed(place, wish)
    devices = _devices(place, instance) if instance else None
    return None if instance is None or devices is None else (instance, devices)


def kept(search: Search, instance: Instance) -> Found | None:
    """Return what an instance runs as if it had been found now, or None where its devices are gone or hold it no more.

    It may take up to half of the reserve, so that memory which is a little less free than it was changes nothing.
    """
    devices = _devices(search.machine, instance)
    launch = instance.launch
    if devices is None or launch is None:
        return None
    layout = _layout(launch, devices, search.costs)
    return search.held(_shape(launch), layout, launch) if layout else None


def _devices(place: Machine, instance: Instance) -> tuple[Device, ...] | None:
    held = instance.gpu_memory_bytes if isinstance(instance.gpu_memory_bytes, list) else []
    known = {device.gpu.uuid: device for device in place.devices if device.gpu.uuid}
    devices = [known.get(part.uuid or "") for part in held]
    return tuple(device for device in devices if device) if all(devices) else None


def _layout(launch: Launch, devices: tuple[Device, ...], costs: Costs) -> Layout | None:
    offloaded = launch.n_gpu_layers if isinstance(launch.n_gpu_layers, int) else 0
    counts = tuple(map(int, launch.tensor_split)) if launch.tensor_split else (offloaded,) * bool(devices)
    if len(counts) != len(devices) or sum(counts) != (offloaded if devices else 0):
        return None
    host_layers = costs.layers - sum(counts)
    hosted = tuple((layer, kept) for layer, kept in experts_of(launch, costs.whole_experts) if layer >= host_layers)
    return Layout(devices, counts, host_layers, hosted)


def _shape(launch: Launch) -> Shape:
    slots = None if launch.kv_unified else launch.parallel
    context = (launch.ctx_size or 0) // (slots or 1)
    return Shape(context, slots, launch.cache_type_k or "f16", launch.ubatch_size or DEFAULT_UBATCH)
