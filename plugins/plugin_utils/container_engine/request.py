# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of an engine's configuration, and the answer: files."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

RUNTIME = "nvidia"  # the name that users give to --runtime, and Kubernetes to a RuntimeClass
MANAGED = "# Written by Ansible (prositronic.infra.nvidia_container_toolkit); changes made here are lost."


@dataclass(frozen=True)
class Request:
    """One engine of a host.

    engine: an entry of nvidia_container_toolkit_info's `engines`.
    texts: {path: content} of the files that the engine's `reads` lists.
    wanted: False takes everything back.
    default: whether the nvidia runtime shall be the one of containers that name none; None leaves that alone.
    cdi: whether the engine shall be able to inject CDI devices.
    """

    engine: Mapping[str, t.Any]
    texts: Mapping[str, str]
    wanted: bool = True
    default: bool | None = None
    cdi: bool = True

    @property
    def version(self) -> tuple[int, ...]:
        """Numbers of the engine's version; empty when it did not tell."""
        return tuple(int(number) for number in re.findall(r"\d+", self.engine["version"] or "")[:3])


@dataclass(frozen=True)
class File:
    """A file as it shall be. content None: it shall not exist. check: command that looks at it, {file} stands for it."""

    path: str
    content: str | None
    mode: str = "0644"
    check: tuple[str, ...] = ()

    def plain(self) -> dict[str, t.Any]:
        """Return it as an entry of config_files' `files`."""
        return {"path": self.path, "content": self.content, "mode": self.mode, "check": list(self.check)}
