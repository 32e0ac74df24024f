# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seconds for one token, one after another: reading weights and cache, launching, handing over, choosing."""

from __future__ import annotations

import typing as t

from .disk import disk_bytes
from .host_rates import HostRates
from .rates import EXPECTED, DeviceRates
from .work import Part, Work


def decode_seconds(
    work: Work,
    devices: t.Sequence[DeviceRates],
    host: HostRates,
    ram_bytes: float | None = None,
    pace: int = EXPECTED,
) -> float:
    """Return the seconds for one token of one request.

    Devices take turns, layer by layer, so their times add up; at one token a time a device does little else than read.

    :param devices: the rates of the GPUs, in the order of `work.parts`.
    :param ram_bytes: RAM that weights may take; None where they are all held there.
    :param pace: SLOW, EXPECTED or FAST: with every rate at its slow, expected or fast end.
    """
    seconds = work.hops * host.hop[pace] + work.logits * host.sample[pace]
    for part, rates in zip(work.parts, devices, strict=True):
        seconds += _on_device(part, rates, pace)
    return seconds + _on_host(work.host, host, ram_bytes, pace)


def _on_device(part: Part, rates: DeviceRates, pace: int) -> float:
    dense, experts = part
    weights = dense.read_bytes + experts.read_bytes
    unpacking = (dense.packed_values + experts.packed_values) * rates.unpack_bytes
    return (
        (weights + unpacking) / rates.read[pace]
        + dense.cache_bytes / rates.cache_read[pace]
        + (dense.kernels + experts.kernels) * rates.launch[pace]
    )


def _on_host(part: Part, host: HostRates, ram_bytes: float | None, pace: int) -> float:
    dense, experts = part
    weights = dense.read_bytes + experts.read_bytes
    if not weights:
        return 0.0
    fetched = 0.0
    if ram_bytes is not None:
        held = dense.stored_bytes + experts.stored_bytes
        fetched = disk_bytes(dense.read_bytes, experts.read_bytes, held, ram_bytes)[pace]
    # reading and computing overlap; the slower one counts
    reading = (weights + dense.cache_bytes) / host.read[pace]
    computing = (dense.packed_values + experts.packed_values) / host.values[pace]
    return max(reading, computing) + (dense.kernels + experts.kernels) * host.step[pace] + fetched / host.disk[pace]
