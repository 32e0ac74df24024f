# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mamba 2: nothing but state-space mixers."""

from __future__ import annotations

from ..blocks.recurrent import mamba2
from ..part import Architecture, nothing, sequence, vectors

ARCHITECTURES = {"mamba2": Architecture(block=sequence(vectors("attn_norm"), mamba2), top=nothing)}
