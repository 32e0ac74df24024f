# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/schemas and the chart's values.schema.json from the typed models, after a change of the contract.

A test compares the files.
"""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from plugins.plugin_utils.contract.schemas import chart_document, documents  # noqa: E402

CHART = ROOT / "roles" / "helmfile_values" / "files" / "chart" / "values.schema.json"

targets = {ROOT / "docs" / "schemas" / name: text for name, text in documents().items()} | {CHART: chart_document()}
for target, text in targets.items():
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(target.relative_to(ROOT))
