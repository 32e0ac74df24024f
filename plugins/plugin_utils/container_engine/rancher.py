# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k3s and rke2: they find nvidia-container-runtime by themselves at their start. Only the default is to be said."""

from __future__ import annotations

from .request import MANAGED, RUNTIME, File, Request


def files(request: Request) -> list[File]:
    """Return the drop-in beside config.yaml, which exists only while the default is asked for."""
    asked = request.wanted and request.default
    return [File(request.engine["drop_in"], f"{MANAGED}\ndefault-runtime: {RUNTIME}\n" if asked else None, mode="0600")]
