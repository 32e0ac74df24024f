# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Headers of small files as gguf_info returns them."""

from __future__ import annotations


def header(architecture, tensors, **metadata):
    return {
        "schema": 1,
        "files": [{"path": f"/srv/{architecture}.gguf", "size_bytes": 1}],
        "version": 3,
        "alignment": 32,
        "metadata": {"general.architecture": architecture, **metadata},
        "tensors": "\n".join(tensors),
    }


# An encoder of 28 x 28 patches, 64 wide; one matrix of 1,000 values and a row of 100.
PROJECTOR = header(
    "clip",
    ["F16 10x100 mm.0.weight", "F32 100 mm.0.bias"],
    **{
        "clip.projector_type": "gemma3",
        "clip.vision.image_size": 392,
        "clip.vision.patch_size": 14,
        "clip.vision.embedding_length": 64,
        "clip.vision.feed_forward_length": 256,
        "clip.vision.attention.head_count": 4,
    },
)
