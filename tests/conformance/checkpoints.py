# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the models of models.jsonl and models_more.jsonl have beyond their GGUF metadata and unlike most of their kin.

Public facts of the checkpoints (their config.json): small Llama and Qwen share embedding and output, Llama 3.1 scales its
rotary frequencies, the large Gemma 4 use keys as values in full attention layers.
"""

from __future__ import annotations

CHECKPOINTS: dict[str, dict] = {
    "exaone4-32b": {"checkpoint.rope_factors": "llama3"},
    "gemma4-26b-a4b": {"checkpoint.key_is_value": True},
    "gemma4-31b": {"checkpoint.key_is_value": True},
    "llama3-1-70b": {"checkpoint.rope_factors": "llama3"},
    "llama3-1-8b": {"checkpoint.rope_factors": "llama3"},
    "llama3-2-1b": {"checkpoint.rope_factors": "llama3", "checkpoint.tied_embeddings": True},
    "qwen2-5-0-5b": {"checkpoint.tied_embeddings": True},
}
