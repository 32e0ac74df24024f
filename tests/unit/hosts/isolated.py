# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that has only the files and tools that a test gives it."""

from __future__ import annotations

import os

from ansible_collections.prositronic.infra.plugins.module_utils.gpu import nvml, probe, tools
from ansible_collections.prositronic.infra.tests.unit.hosts import nvidia
from ansible_collections.prositronic.infra.tests.unit.hosts.tree import Tree


class Host(Tree):
    """A host of files and tools of its own: nothing of the machine that runs the tests shows through."""

    def __init__(self, root, monkeypatch):
        super().__init__(root / "root")
        self._monkeypatch = monkeypatch
        self.bin = root / "bin"
        self.bin.mkdir()
        monkeypatch.setattr(nvml, "LIBRARIES", ())
        monkeypatch.setattr(tools, "_FOLDERS", ())
        monkeypatch.setenv("PATH", f"{self.bin}{os.pathsep}{os.environ['PATH']}")
        real = tools.Tools.find
        monkeypatch.setattr(tools.Tools, "find", lambda its, name: self._own(real(its, name)))

    def _own(self, path):
        return path if path and path.startswith(str(self.bin)) else None

    def tool(self, name, script):
        nvidia.tool(self.bin, name, script)

    def library(self, answers, *flags):
        library = nvidia.library(self._monkeypatch, self.bin, answers, *flags)
        self._monkeypatch.setattr(nvml, "LIBRARIES", (library,))

    def read(self, seconds=30.0):
        return probe.read(self.files, seconds)
