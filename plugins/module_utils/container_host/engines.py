# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Container engines of a host: which are there, and where each keeps its configuration."""

from __future__ import annotations

import glob
import os
import pwd
import re
import time
import typing as t

from ..host_files import Files
from . import programs
from .file_set import JOURNAL
from .services import Service, is_wanted

_USER_UNIT = ".config/systemd/user/docker.service"


class Kind(t.NamedTuple):
    """What is the same on every host. reads: patterns of the files that make up the configuration."""

    name: str
    program: str
    units: tuple[str, ...] = ()
    config: str | None = None
    drop_in: str | None = None
    reads: tuple[str, ...] = ()
    # What the engine wrote for itself at its start; it names the runtimes that it found
    generated: str | None = None


# Paths are those of the engines' documentation; k3s and rke2 read config.yaml.d beside config.yaml.
KINDS = (
    Kind("docker", "dockerd", ("docker.service",), "/etc/docker/daemon.json", reads=("/etc/docker/daemon.json",)),
    Kind(
        "containerd",
        "containerd",
        ("containerd.service",),
        "/etc/containerd/config.toml",
        "/etc/containerd/conf.d/99-nvidia.toml",
        ("/etc/containerd/config.toml",),
    ),
    Kind(
        "crio",
        "crio",
        ("crio.service",),
        "/etc/crio/crio.conf",
        "/etc/crio/crio.conf.d/99-nvidia.toml",
        ("/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*"),
    ),
    Kind("podman", "podman"),
    Kind(
        "k3s",
        "k3s",
        ("k3s.service", "k3s-agent.service"),
        drop_in="/etc/rancher/k3s/config.yaml.d/99-nvidia.yaml",
        generated="/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    ),
    Kind(
        "rke2",
        "rke2",
        ("rke2-server.service", "rke2-agent.service"),
        drop_in="/etc/rancher/rke2/config.yaml.d/99-nvidia.yaml",
        generated="/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    ),
)
ROOTLESS = "docker_rootless"
NAMES = (*(kind.name for kind in KINDS), ROOTLESS)


def engines(files: Files, state_folder: str) -> list[dict[str, t.Any]]:
    """Return the engines that are installed, each as documented for nvidia_container_toolkit_info."""
    found = [_describe(files, kind) for kind in KINDS if programs.find(files, kind.program)]
    docker = next((each for each in found if each["name"] == "docker"), None)
    if docker is not None:
        found += [_rootless(files, docker, user) for user in _rootless_users(files)]
    for each in found:
        each["used"] = _is_used(each, found, files)
        each["journal"] = f"{state_folder}/{each['id']}"
        each["restart_pending"] = _is_pending(files, each)
        each["knows_nvidia"] = _knows_nvidia(files, each)
        del each["started_at"], each["generated"]
    return found


def _describe(files: Files, kind: Kind) -> dict[str, t.Any]:
    unit, active, started_at = _unit(files, kind.units)
    return {
        "id": kind.name,
        "name": kind.name,
        "version": _version(files, kind.program),
        "unit": unit,
        "active": active,
        "started_at": started_at,
        "user": None,
        "config": kind.config,
        "drop_in": kind.drop_in,
        "reads": _reads(files, kind),
        "generated": kind.generated,
    }


def _rootless(files: Files, docker: dict[str, t.Any], user: pwd.struct_passwd) -> dict[str, t.Any]:
    config = os.path.join(user.pw_dir, ".config/docker/daemon.json")
    _unit_name, active, started_at = _unit(files, ("docker.service",), user.pw_name)
    return dict(
        docker,
        id=f"{ROOTLESS}_{user.pw_name}",
        name=ROOTLESS,
        unit="docker.service",
        active=active,
        started_at=started_at,
        user=user.pw_name,
        uid=user.pw_uid,
        config=config,
        reads=[config] if files.exists(config) else [],
    )


def _rootless_users(files: Files) -> list[pwd.struct_passwd]:
    return [user for user in pwd.getpwall() if files.exists(user.pw_dir, _USER_UNIT)]


def _version(files: Files, program: str) -> str | None:
    number = re.search(r"\d+\.\d+(\.\d+)?", programs.said(programs.ask(files, program, "--version")))
    return number.group(0) if number else None


def _unit(files: Files, names: t.Sequence[str], user: str | None = None) -> tuple[str | None, bool, float | None]:
    """Return the unit that is installed, whether it shall run, and since when it does (seconds of the epoch)."""
    for name in names:
        found = Service(files, name, user).properties("LoadState", "ActiveState", "ActiveEnterTimestampMonotonic")
        if found.get("LoadState") == "loaded":
            state = found.get("ActiveState")
            entered = int(found.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
            since = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC) + entered if state == "active" else None
            return name, is_wanted(state), since
    return None, False, None


def _reads(files: Files, kind: Kind) -> list[str]:
    """Return the files that exist, those that containerd's main file imports included."""
    patterns = list(kind.reads)
    if kind.name == "containerd":
        patterns += _imports(files.text(t.cast(str, kind.config)) or "", t.cast(str, kind.config))
    root = files.path("/").rstrip("/")
    found = []
    for pattern in patterns:
        found += [path[len(root) :] for path in sorted(glob.glob(root + pattern)) if os.path.isfile(path)]
    return list(dict.fromkeys(found))


def _imports(text: str, config: str) -> list[str]:
    """Return what the top of a containerd configuration imports; the controller reads the same text as TOML."""
    array = re.search(r"^\s*imports\s*=\s*\[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    patterns = re.findall(r"[\"']([^\"'\n]+)[\"']", array.group(1)) if array else []
    return [os.path.join(os.path.dirname(config), pattern) for pattern in patterns]


def _is_used(engine: dict[str, t.Any], found: t.Sequence[dict[str, t.Any]], files: Files) -> bool:
    """Say whether an engine is there for its own sake: docker brings a containerd that nothing else asks."""
    if engine["name"] != "containerd" or "docker" not in [each["name"] for each in found]:
        return True
    return any(programs.find(files, name) for name in ("kubelet", "nerdctl"))


def _is_pending(files: Files, engine: dict[str, t.Any]) -> bool:
    """Say whether an engine started before the files were written that it shall use, or did not start with them."""
    if not engine["active"]:
        return False
    try:
        written_at = os.stat(files.path(engine["journal"], JOURNAL)).st_mtime
    except OSError:
        return False
    return engine["started_at"] is None or bool(engine["started_at"] < written_at)


def _knows_nvidia(files: Files, engine: dict[str, t.Any]) -> bool | None:
    """Say whether a running engine that looks for the runtime by itself has found it; None for the others."""
    if not (engine["active"] and engine["generated"]):
        return None
    return "nvidia" in (files.text(engine["generated"]) or "")
