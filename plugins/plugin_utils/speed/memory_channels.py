# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory bandwidth of one socket by the CPU's name: channels, bytes per transfer, and the fastest RAM it is sold with."""

from __future__ import annotations

import re

# (pattern of the model name, channels of 8 bytes, millions of transfers per second), from the vendors' data sheets.
_SOCKETS: tuple[tuple[str, int, int], ...] = (
    (r"EPYC 9\w\w5", 12, 6000),
    (r"EPYC 9\w\w4", 12, 4800),
    (r"EPYC 8\w\w4", 6, 4800),
    (r"EPYC 4\w\w[45]", 2, 5200),
    (r"EPYC 7\w\w[23]", 8, 3200),
    (r"EPYC 7\w\w1", 8, 2666),
    (r"Threadripper PRO [79]\w+", 8, 5200),
    (r"Threadripper PRO [35]\w+", 8, 3200),
    (r"Threadripper [79]\w+", 4, 5200),
    (r"Threadripper", 4, 2933),
    (r"Ryzen AI Max", 4, 8000),
    (r"Ryzen AI", 2, 5600),
    (r"Ryzen \w+( PRO)? [789]\d{3}", 2, 5200),
    (r"Ryzen \w+( PRO)? 6\d{3}", 2, 4800),
    (r"Ryzen", 2, 3200),
    (r"Xeon.* 69\d\dP", 12, 6400),
    (r"Xeon.* 6[57]\d\dP", 8, 6400),
    (r"Xeon.* (Platinum|Gold|Silver|Bronze) \d5\d\d", 8, 5600),
    (r"Xeon.* (Platinum|Gold|Silver|Bronze) \d4\d\d", 8, 4800),
    (r"Xeon.* (Platinum|Gold|Silver|Bronze) \d3\d\d", 8, 3200),
    (r"Xeon.* (Platinum|Gold|Silver|Bronze) \d2\d\d", 6, 2933),
    (r"Xeon.* (Platinum|Gold|Silver|Bronze) \d1\d\d", 6, 2666),
    (r"Xeon.* w[3579]-\d{4}", 8, 4800),
    (r"Xeon.* W-3[23]\d\d", 8, 3200),
    (r"Xeon.* W-", 4, 2933),
    (r"Xeon.* E5-\d{4}L? v4", 4, 2400),
    (r"Xeon.* E5-\d{4}\w? v3", 4, 2133),
    (r"Xeon.* E5-", 4, 1866),
    (r"Xeon.* E-?\d", 2, 2666),
    (r"Core.* Ultra", 2, 6400),
    (r"Core.* i\d-1[234]\d{3}", 2, 4800),
    (r"Core.* i[79]-(7[89]|9[89]|109)\d\dX", 4, 2933),
    (r"Core.* i\d-", 2, 2933),
    (r"Neoverse-V2|Grace", 16, 3750),
    (r"Ampere Altra|Neoverse-N1", 8, 3200),
)
_BYTES_PER_TRANSFER = 8


def memory_bandwidth(model: str) -> float | None:
    """Return the bytes per second of one socket of this CPU with all channels filled, None for a CPU not known."""
    name = re.sub(r"\((R|TM)\)|CPU|@.*", "", model)
    for pattern, channels, transfers in _SOCKETS:
        if re.search(pattern, name, re.IGNORECASE):
            return channels * _BYTES_PER_TRANSFER * transfers * 1e6
    return None
