# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/accuracy.md.

python3 tools/write_accuracy.py           # works all measured loads out again, about a minute, and writes the results too
python3 tools/write_accuracy.py --page    # writes the page from the results that are there
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.tests.conformance import accuracy

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--page", action="store_true", help="only write the page again")
if not parser.parse_args().page:
    accuracy.RESULTS.write_text(json.dumps(accuracy.work_out(), indent=1) + "\n", encoding="utf-8")
accuracy.PAGE.write_text(accuracy.current_page(), encoding="utf-8")
print(accuracy.PAGE)
