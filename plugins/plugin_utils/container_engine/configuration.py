# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of any engine."""

from __future__ import annotations

import typing as t
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


def container_engine_files(
    engine: dict[str, t.Any],
    texts: dict[str, str],
    state: t.Literal["present", "absent"] = "present",
    default_runtime: bool | None = None,
    cdi: bool = True,
) -> list[dict[str, t.Any]]:
    """Return the files of an engine as entries of config_files' `files`.

    :param engine: an entry of nvidia_container_toolkit_info's `engines`.
    :param texts: content of files by path; those that the engine reads count.
    :raises ValueError: a sentence that names the file and what keeps it from being changed.
    """
    reads = engine.get("reads")
    if engine.get("name") not in ENGINES or not isinstance(reads, list) or not {"version"} <= set(engine):
        raise ValueError(f"engine: give an entry of nvidia_container_toolkit_info's engines: {', '.join(ENGINES)}")
    own = {path: texts[path] for path in reads if path in texts}
    return [file.plain() for file in files(Request(engine, own, state == "present", default_runtime, cdi))]


def files(request: Request) -> list[File]:
    """Return the files that make an engine know the nvidia runtime, or forget it.

    :raises ValueError: a sentence that names the file and what keeps it from being changed.
    """
    return ENGINES[request.engine["name"]](request)
