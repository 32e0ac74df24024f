# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes as people read them."""

from __future__ import annotations

GIB = 1 << 30


def gib(value_bytes: int, digits: int = 1) -> str:
    """Return bytes as GiB (2^30) without the unit, with thousands separated."""
    return f"{value_bytes / GIB:,.{digits}f}"


def figure(value: float) -> str:
    """Return a figure with the two digits that can be known of it: 170, 9.6, 0.011."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"
