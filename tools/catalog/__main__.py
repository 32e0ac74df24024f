# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintain the catalog: `python3 tools/catalog --help`. It needs a Python with this collection's requirements."""

from __future__ import annotations

import pathlib
import sys
import types

# The checkout as the collection, wherever it lies.
for name, path in (
    ("ansible_collections", []),
    ("ansible_collections.prositronic", []),
    ("ansible_collections.prositronic.infra", [str(pathlib.Path(__file__).resolve().parents[2])]),
):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = path

from ansible_collections.prositronic.infra.tools.catalog.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
