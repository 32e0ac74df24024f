# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the measured data in data/: JSON lines, compressed.

Measured with llama.cpp 0.7.0, build 11669 (ggml 0.27.0): real metadata and tensor lists, `llama-quantize --dry-run`.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parent / "data"


def rows(*names: str) -> Iterator[dict]:
    """Give the rows of data/<name>.jsonl.xz, file after file."""
    for name in names:
        with lzma.open(DATA / f"{name}.jsonl.xz", "rt", encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
