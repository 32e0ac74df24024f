# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which weights a token fetches from disk, where RAM cannot keep them all."""

from __future__ import annotations

from .rates import Range


def disk_bytes(dense: float, experts: float, held: float, room: float) -> Range:
    """Return the bytes that one token fetches from disk, at the slow, the expected and the fast pace.

    The page cache keeps `room` of the `held` bytes that the host maps. Of experts, which are asked for by chance, the
    share that is in RAM is found there. Dense layers are read in the same order every token, so that a cache that drops
    what was not used for longest drops each just before it is needed: at worst none is ever found; Linux, which
    protects what is read again and again, keeps some.

    :param dense: bytes of dense layers that a token reads with the host.
    :param experts: bytes of routed experts that it reads there.
    :param held: bytes of all weights that the host maps, used or not.
    :param room: bytes of RAM for them.
    """
    if held <= room or held <= 0:
        return Range(0.0, 0.0, 0.0)
    missing = 1 - max(0.0, room) / held
    return Range(
        dense + experts * missing,
        dense * (1 + missing) / 2 + experts * missing,
        (dense + experts) * missing,
    )
