# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write tests/golden/plans anew, after a change that is meant to change plans. Look at the difference before you commit it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import as_collection  # noqa: F401 # pylint: disable=unused-import,wrong-import-position
import golden  # pylint: disable=wrong-import-position

for name in golden.requests():
    target = golden.PLANS / f"{name}.json"
    target.write_text(golden.text(golden.answer(name)), encoding="utf-8")
    print(target.relative_to(golden.FOLDER.parents[1]))
