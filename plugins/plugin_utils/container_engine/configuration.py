# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of any engine."""

from __future__ import annotations

from collections.abc import Callable

from . import containerd, crio, docker, podman, rancher
from .request import File, Request

ENGINES: dict[str, Callable[[Request], list[File]]] = {
    "containerd": containerd.files,
    "crio": crio.files,
    "docker": docker.files,
    "docker_rootless": docker.files,
    "k3s": rancher.files,
    "podman": podman.files,
    "rke2": rancher.files,
}


def files(request: Request) -> list[File]:
    """Return the files that make an engine know the nvidia runtime, or forget it.

    :raises ValueError: a sentence that names the file and what keeps it from being changed.
    """
    return ENGINES[request.engine["name"]](request)
