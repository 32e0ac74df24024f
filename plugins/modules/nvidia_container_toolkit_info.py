#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_container_toolkit_info
short_description: Look at the NVIDIA container toolkit and the container engines of a host
version_added: 1.0.0
author:
  - Prositronic (@prositronic)
description:
  - Tells what P(prositronic.infra.nvidia_container_toolkit#role) decides by, the packages that are installed, container
    engines and their configuration files, the driver's GPUs and the devices that containers can be given.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
  - prositronic.infra._attributes.info_module
options:
  package_manager:
    description: The host's package manager.
    type: str
    choices: [apt, dnf, zypper]
    required: true
  repository_file:
    description: The file of package sources that is not to be counted among RV(old_sources).
    type: path
    default: ""
  state_folder:
    description: Folder with a journal for each engine, see M(prositronic.infra.config_files).
    type: path
    default: /var/lib/prositronic/nvidia_container_toolkit
  timeout:
    description: How many seconds NVIDIA's library and tools may take to tell of the GPUs.
    type: float
    default: 20.0
seealso:
  - module: prositronic.infra.gpu_facts
"""

EXAMPLES = r"""
- name: Look
  prositronic.infra.nvidia_container_toolkit_info:
    package_manager: apt
  register: toolkit

- name: Say which engines there are
  ansible.builtin.debug:
    msg: "{{ toolkit.engines | map(attribute='name') | join(', ') }}"

- name: Say which GPUs containers cannot be given
  ansible.builtin.debug:
    msg: "{{ toolkit.cdi.missing }}"
"""

RETURN = r"""
is_root:
  description: Whether the module ran as root.
  returned: success
  type: bool
architecture:
  description: Machine name of the kernel.
  returned: success
  type: str
  sample: x86_64
wsl:
  description: Whether this is Linux on Windows (WSL), where the driver belongs to Windows.
  returned: success
  type: bool
jetson:
  description: Whether this is an NVIDIA Jetson, whose toolkit comes with JetPack.
  returned: success
  type: bool
gpu_operator:
  description: File that shows that a GPU Operator of Kubernetes provides the toolkit here, null without one.
  returned: success
  type: str
packages:
  description: Version with release of each of the toolkit's four packages, null for one that is not installed.
  returned: success
  type: dict
  sample: {libnvidia-container1: 1.20.0-1}
held:
  description: Which of the packages C(apt) or C(zypper) was told to keep as they are.
  returned: success
  type: list
  elements: str
old_sources:
  description: Files of package sources with nothing but repositories of the toolkit in them.
  returned: success
  type: list
  elements: str
mixed_sources:
  description: Files of package sources that offer the toolkit among other things.
  returned: success
  type: list
  elements: str
driver_version:
  description: Version of NVIDIA's driver, null where none is loaded.
  returned: success
  type: str
  sample: 580.65.06
gpus:
  description: UUIDs of the driver's GPUs and MIG slices.
  returned: success
  type: list
  elements: str
gpu_problems:
  description: Why GPUs cannot be used, a sentence each.
  returned: success
  type: list
  elements: str
cdi:
  description: The devices that containers can be given.
  returned: success
  type: dict
  contains:
    devices:
      description: Names, null where C(nvidia-ctk) does not work.
      type: list
      elements: str
      sample: ["0", "all"]
    missing:
      description: UUIDs of GPUs and MIG slices without a device.
      type: list
      elements: str
    stale:
      description: Devices whose GPU or MIG slice is not there any more.
      type: list
      elements: str
    static:
      description: Specifications that an administrator or an older tool wrote to C(/etc/cdi), which nothing refreshes.
      type: list
      elements: str
engines:
  description: Container engines that are installed.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: RV(engines[].name), with the user's name where a user has an engine of their own.
      type: str
      sample: docker_rootless_alice
    name:
      description: V(docker), V(containerd), V(crio), V(podman), V(k3s), V(rke2) or V(docker_rootless).
      type: str
    version:
      description: Version.
      type: str
      sample: 26.1.5
    used:
      description: False for a containerd that is there only because docker needs it.
      type: bool
    unit:
      description: systemd unit, null for an engine without a daemon.
      type: str
    active:
      description: Whether that unit runs, or would if it had not failed.
      type: bool
    user:
      description: User whose engine this is, null for that of the host.
      type: str
    uid:
      description: Number of that user.
      returned: for docker_rootless
      type: int
    config:
      description: Main configuration file.
      type: str
    drop_in:
      description: File that is this collection's own.
      type: str
    reads:
      description: Files that exist and make up the configuration.
      type: list
      elements: str
    journal:
      description: Folder of the engine's journal.
      type: str
    restart_pending:
      description: Whether the engine runs with an older configuration than the one that was written for it.
      type: bool
    knows_nvidia:
      description: Whether a running k3s or rke2 found the toolkit at its start; null for other engines.
      type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils.container_host import engines, toolkit
from ansible_collections.prositronic.infra.plugins.module_utils.gpu import probe
from ansible_collections.prositronic.infra.plugins.module_utils.host_files import Files


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "package_manager": {"type": "str", "choices": ["apt", "dnf", "zypper"], "required": True},
            "repository_file": {"type": "path", "default": ""},
            "state_folder": {"type": "path", "default": "/var/lib/prositronic/nvidia_container_toolkit"},
            "timeout": {"type": "float", "default": 20.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    files = Files()
    reading = probe.read(files, given["timeout"])
    gpus = [gpu for gpu in reading.gpus if gpu["vendor"] == "nvidia" and gpu["uuid"]]
    devices = toolkit.cdi_devices(files)
    missing, stale = toolkit.cdi_difference(devices or [], gpus)
    old, mixed = toolkit.old_sources(files, given["package_manager"], given["repository_file"])
    module.exit_json(
        changed=False,
        is_root=os.geteuid() == 0,
        architecture=os.uname().machine,
        wsl=toolkit.is_wsl(files),
        jetson=toolkit.is_jetson(files),
        gpu_operator=toolkit.operator(files),
        packages=toolkit.packages(files, given["package_manager"]),
        held=toolkit.held(files, given["package_manager"]),
        old_sources=old,
        mixed_sources=mixed,
        driver_version=reading.driver.get("version") if reading.driver.get("vendor") == "nvidia" else None,
        gpus=[gpu["uuid"] for gpu in gpus],
        gpu_problems=reading.problems,
        cdi={
            "devices": devices,
            "missing": missing,
            "stale": stale,
            "static": [path for path in toolkit.STATIC_CDI if files.exists(path)],
        },
        engines=engines.engines(files, given["state_folder"]),
    )


if __name__ == "__main__":
    main()
