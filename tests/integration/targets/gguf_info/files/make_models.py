# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the models that the tasks look at into a directory: `make_models.py DIRECTORY`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.tests.unit import gguf_files

METADATA = {
    "general.architecture": "qwen3",
    "general.name": "Integration",
    "general.file_type": 15,
    "qwen3.context_length": 40960,
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.chat_template": "{{ messages }}",
}
TENSORS = [("Q4_K", (4096, 65536), f"blk.{index}.ffn_up.weight") for index in range(2100)]

directory = Path(sys.argv[1])
gguf_files.write(directory / "large.gguf", METADATA, TENSORS)
gguf_files.write(directory / "cut.gguf", METADATA, TENSORS[:1], size_bytes=1000)
for name in ("whole", "missing"):
    (directory / name).mkdir(exist_ok=True)
    parts = gguf_files.write_split(directory / name, "m", METADATA, [TENSORS[:2], TENSORS[2:4], TENSORS[4:5]])
parts[1].unlink()
os.mkfifo(directory / "pipe.gguf")
