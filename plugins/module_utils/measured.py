# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier runs observed on this host, kept in `measured.json` of the state folder."""

from __future__ import annotations

import typing as t

from .host_files import Files


def read(files: Files, state_folder: str) -> tuple[dict[str, t.Any] | None, list[str]]:
    """Return what is kept (None when nothing is) and problems."""
    path = f"{state_folder}/measured.json"
    try:
        return files.json_object(path), []
    except ValueError as error:
        return None, [f"{path} {error}: it is ignored; delete it, the next benchmark writes it anew"]
