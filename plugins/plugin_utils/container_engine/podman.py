# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""podman: CDI needs no configuration. The hook of toolkits before 1.18 would inject GPUs a second time."""

from __future__ import annotations

from .request import File, Request

HOOK = "/usr/share/containers/oci/hooks.d/oci-nvidia-hook.json"


def files(request: Request) -> list[File]:
    """Return the hook, which shall not exist."""
    return [File(HOOK, None)]
