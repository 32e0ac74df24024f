# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the programs as a person would, in the folder that has the helmfile."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import yaml

from .programs import Programs

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ("q3_k_m/nvidia-rtx6000pro.yaml", "q4_0/nvidia-v100s.yaml", "q4_k_m/nvidia-l4.yaml")
FILES = ROOT / "roles" / "helmfile_values" / "files"


@dataclasses.dataclass(frozen=True)
class Helm:
    """The programs, and a home that has no settings."""

    programs: Programs
    home: Path

    def helmfile(self, *words: str, values: tuple[Path, ...] = (), kubeconfig: Path | None = None, check: bool = True):
        files = [word for path in values for word in ("--state-values-file", str(path))]
        command = [self.programs.helmfile, "--helm-binary", self.programs.helm, "--no-color", *files, *words]
        return self._run(command, kubeconfig, check)

    def template(self, *values: Path) -> list[dict]:
        """What helmfile renders, as objects."""
        return objects(self.helmfile("template", values=values).stdout)

    def chart(self, values: Path, program: str = "helm", check: bool = True):
        """Render the chart alone."""
        command = [getattr(self.programs, program), "template", "x", FILES / "chart", "--values", values]
        return self._run(command, None, check)

    def shell(self, script: str, kubeconfig: Path | None = None):
        return self._run(["bash", "-c", script], kubeconfig, True)

    def _run(self, command: list, kubeconfig: Path | None, check: bool) -> subprocess.CompletedProcess:
        variables = {
            **os.environ,
            "HOME": str(self.home),
            "PATH": f"{self.programs.folder}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig or self.home / "none"),
            "HELMFILE_UPGRADE_NOTICE_DISABLED": "1",
        }
        done = subprocess.run(
            list(map(str, command)), cwd=FILES, env=variables, capture_output=True, text=True, timeout=120, check=False
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done


def objects(text: str) -> list[dict]:
    return [value for value in yaml.safe_load_all(text) if value]


def of_kind(found: list[dict], kind: str) -> dict:
    (value,) = [value for value in found if value["kind"] == kind]
    return value
