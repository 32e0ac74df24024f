# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-ins for container engines that no package mirror of the tests has: k3s, rke2 and CRI-O.

They read and write the files of the real ones at the same moments, and start no containers.
"""

from __future__ import annotations

from ..host import Host

# k3s, which is in rke2 too, looks for the runtime at its start only, in this order (k3s, pkg/agent/containerd), and writes
# what it found
K3S = """#!/bin/sh
name=$(basename "$0")
case "$1" in
--version) echo "$name version v1.31.4+${name}1 (stand-in)" ;;
agent)
    folder=/var/lib/rancher/$name/agent/etc/containerd
    mkdir -p $folder
    echo 'version = 3' > $folder/config.toml
    for path in /usr/local/nvidia/toolkit /usr/bin; do
        if [ -x $path/nvidia-container-runtime ]; then
            echo "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.'nvidia']" >> $folder/config.toml
            break
        fi
    done
    cat /etc/rancher/$name/config.yaml.d/*.yaml > /run/$name-was-told 2>/dev/null
    systemd-notify --ready
    exec sleep infinity ;;
esac
"""

# Refuses TOML that it cannot read, as crio does
CRIO = """#!/usr/bin/python3
import subprocess, sys, time, tomllib
if "--version" in sys.argv:
    print("crio version 1.31.0")
elif "config" in sys.argv:
    tomllib.load(open(sys.argv[sys.argv.index("--config") + 1], "rb"))
else:
    subprocess.run(["systemd-notify", "--ready"], check=True)
    time.sleep(1e9)
"""
CRIO_PACKAGED = """[crio.runtime]
default_runtime = "crun"

[crio.runtime.runtimes.crun]
runtime_path = "/usr/libexec/crio/crun"
monitor_path = "/usr/libexec/crio/conmon"
"""


def _service(host: Host, name: str, command: str) -> None:
    host.write(
        f"/etc/systemd/system/{name}.service",
        f"[Service]\nType=notify\nNotifyAccess=all\nExecStart={command}\n[Install]\nWantedBy=multi-user.target\n",
    )
    host.run(f"systemctl daemon-reload; systemctl enable --now {name}")


def install_k3s(host: Host, name: str = "k3s") -> None:
    """An agent of k3s or rke2 that runs."""
    host.write(f"/usr/local/bin/{name}", K3S, mode=0o755)
    _service(host, f"{name}-agent", f"/usr/local/bin/{name} agent")


def install_crio(host: Host) -> None:
    """A CRI-O that runs, configured as its packages do."""
    host.write("/usr/bin/crio", CRIO, mode=0o755)
    host.write("/etc/crio/crio.conf.d/10-crio.conf", CRIO_PACKAGED)
    _service(host, "crio", "/usr/bin/crio")
