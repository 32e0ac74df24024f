# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintain the catalog: `python3 tools/catalog --help`. It needs a Python with this collection's requirements."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
import as_collection  # type: ignore[import-not-found] # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.tools.catalog.command import main

if __name__ == "__main__":
    sys.exit(main())
