# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Import this first in a script outside pytest: the checkout then is `ansible_collections.prositronic.infra`."""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

for _name, _path in {
    "ansible_collections": [],
    "ansible_collections.prositronic": [],
    "ansible_collections.prositronic.infra": [str(ROOT)],
}.items():
    _package = types.ModuleType(_name)
    _package.__path__ = _path
    sys.modules.setdefault(_name, _package)
