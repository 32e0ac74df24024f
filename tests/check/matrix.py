# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ansible-core is tested with which of the Pythons that this machine has."""

from __future__ import annotations

import dataclasses

from tools.environment import Python


@dataclasses.dataclass(frozen=True)
class Core:
    """A line of ansible-core and the Pythons it is tested with, the best first."""

    line: str
    pythons: tuple[str, ...]

    @property
    def requirement(self) -> str:
        return f"ansible-core~={self.line}.0"


# The newest line on a new Python, and the oldest that meta/runtime.yml promises on the oldest Python it runs on.
CORES = (Core("2.21", ("3.13", "3.12", "3.14")), Core("2.19", ("3.11", "3.12", "3.13")))

# The oldest Python of a target host that both lines support: modules and module_utils must run on it.
TARGET_PYTHON = "3.9"


def choose(pythons: list[Python]) -> tuple[list[tuple[Core, Python]], list[str]]:
    """The pairs to test, the newest line first, and a sentence for each line that no Python found can run."""
    usable = {python.minor: python for python in pythons if python.has_venv}
    pairs, missing = [], []
    for core in CORES:
        found = next((usable[minor] for minor in core.pythons if minor in usable), None)
        if found is None:
            missing.append(f"ansible-core {core.line}: needs Python {' or '.join(sorted(core.pythons))}, none found")
        else:
            pairs.append((core, found))
    return pairs, missing
