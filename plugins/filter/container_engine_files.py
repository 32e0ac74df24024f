# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call
from ansible_collections.prositronic.infra.plugins.plugin_utils.container_engine import configuration

DOCUMENTATION = r"""
name: container_engine_files
version_added: 1.0.0
short_description: Configuration files that make a container engine know the NVIDIA runtime
description:
  - Takes an engine of a host and its configuration files as they are, and returns the files as they shall be.
  - What the administrator wrote is kept. C(daemon.json) of docker is merged into; containerd, CRI-O, k3s and rke2 get a
    file of their own.
  - Nothing is returned that the engine could not read. A file that is not valid JSON or TOML is refused.
options:
  _input:
    description: An entry of RV(prositronic.infra.nvidia_container_toolkit_info#module:engines).
    type: dict
    required: true
  texts:
    description: Content by path of the files that the entry's C(reads) lists. Those of other engines do no harm.
    type: dict
    default: {}
  state:
    description: V(absent) takes back what V(present) did.
    type: str
    choices: [present, absent]
    default: present
  default_runtime:
    description:
      - Whether containers that name no runtime get the NVIDIA runtime.
      - When not set, what docker's C(daemon.json) says about it stays, and the other engines' own default holds.
    type: bool
  cdi:
    description: Turn on the injection of CDI devices in versions of docker and containerd that have it turned off.
    type: bool
    default: true
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.config_files
  - module: prositronic.infra.nvidia_container_toolkit_info
"""

EXAMPLES = r"""
- name: Write them
  prositronic.infra.config_files:
    files: "{{ engine | prositronic.infra.container_engine_files(texts={'/etc/docker/daemon.json': '{}'}) }}"
    journal: "{{ engine.journal }}"
"""

RETURN = r"""
_value:
  description: Files, in the form that O(prositronic.infra.config_files#module:files) takes.
  type: list
  elements: dict
"""


def container_engine_files(engine: t.Any, texts: t.Any = None, **named: t.Any) -> list[dict[str, t.Any]]:
    arguments = {"engine": engine, "texts": texts or {}, **named}
    answer = call(configuration.container_engine_files, arguments, "container_engine_files", AnsibleFilterError)
    return t.cast("list[dict[str, t.Any]]", answer)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"container_engine_files": container_engine_files}
