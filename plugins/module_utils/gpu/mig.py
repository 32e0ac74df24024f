# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A card in MIG mode, and the slices it is cut into: the same whichever tool tells of them."""

from __future__ import annotations

from .device import Device


def in_mig_mode_without_slices(card: Device) -> Device:
    """Return a card that nothing can run on until slices are made: it has no memory to give."""
    return dict(card, mig={"profile": None, "parent_uuid": card["uuid"]}, memory_free_bytes=0, unified_memory=False)


def slice_of(card: Device, uuid: str | None, profile: str | None) -> Device:
    """Return a slice of `card`, its memory unknown yet; peer access does not exist between slices."""
    return dict(
        card,
        uuid=uuid,
        mig={"profile": profile, "parent_uuid": card["uuid"]},
        memory_total_bytes=None,
        memory_reserved_bytes=None,
        memory_free_bytes=None,
        bandwidth_bytes_per_second=None,
        nvlink=None,
        processes=[],
    )


def share_of_bandwidth(card: Device, total_bytes: int | None) -> int | None:
    """Return a slice's bytes per second: memory slices carry their share of the card's bandwidth with them."""
    bandwidth, whole = card["bandwidth_bytes_per_second"], card["memory_total_bytes"]
    return bandwidth * total_bytes // whole if bandwidth and whole and total_bytes else None
