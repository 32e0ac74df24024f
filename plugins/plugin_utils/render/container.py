# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container that an instance runs in, as options that `docker run` and `podman run` have in common."""

from __future__ import annotations

import re
import typing as t

from ..contract.base import ContractError

# The server needs no privilege, writes to its cache only, and sees its models and GPUs. It uses the host's network, so that
# address and port mean what they mean without a container.
_ISOLATION = (
    ("--network", "host"),
    ("--read-only",),
    ("--tmpfs", "/tmp"),
    ("--cap-drop", "ALL"),
    ("--security-opt", "no-new-privileges"),
    # SELinux would have the labels of the models changed
    ("--security-opt", "label=disable"),
    # systemd asks whether it is ready
    ("--no-healthcheck",),
)
# Where files are found in the container that only root may read
SECRETS = "/run/llama-server/"
# An option parts the folder here, the one in the container and the mode by colons
_FOLDER = re.compile(r"/[^:,\x00-\x1f]*")


def run_options(
    folders: t.Sequence[str], devices: t.Sequence[str], environment: t.Mapping[str, str]
) -> list[tuple[str, ...]]:
    """Return the options, each with its value; folders are seen read-only, and where they are on the host.

    :raises ContractError: for a folder that no container can be given.
    """
    for folder in folders:
        if not isinstance(folder, str) or not _FOLDER.fullmatch(folder):
            raise ContractError("mounts: give absolute paths of folders, without colons and commas")
    return [
        *_ISOLATION,
        *(("--volume", f"{folder}:{folder}:ro") for folder in dict.fromkeys(folders)),
        *(("--device", device) for device in devices),
        *(("--env", f"{name}={value}") for name, value in environment.items()),
    ]


def own_options(name: str, secret: t.Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return options that a trial does not have: its cache, and files that only root may read, by their option."""
    return [
        ("--volume", f"/var/cache/llama-server-{name}:/cache"),
        ("--env", "HOME=/cache"),
        ("--env", "XDG_CACHE_HOME=/cache"),
        *(("--volume", f"{path}:{SECRETS}{option}:ro") for option, path in secret.items()),
    ]
