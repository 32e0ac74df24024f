# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call
from ansible_collections.prositronic.infra.plugins.plugin_utils.render import service

DOCUMENTATION = r"""
name: llama_server_service
version_added: 1.0.0
short_description: A plan as what a systemd unit on a host says
description:
  - Returns what the role P(prositronic.infra.llama_server#role) writes into the unit of an instance. Commands are quoted for
    systemd, so that no value can end its line or stand for something else.
  - Finds the GPUs of a fleet's plan on this host, and binds the instance to them.
options:
  _input:
    description: A plan of M(prositronic.infra.model_fit) or M(prositronic.infra.fleet_fit).
    type: dict
    required: true
  host:
    description: The C(inference_host) facts of the host.
    type: dict
    required: true
  name:
    description: Name of the instance.
    type: str
    required: true
  model:
    description: Path of the model's file on the host, of the first one if it has parts.
    type: str
    required: true
  port:
    description: TCP port to listen on.
    type: int
    required: true
  address:
    description: Address to listen on.
    type: str
    default: 127.0.0.1
  version:
    description: What C(llama-server --version) prints on the host. Default is the version of the plan.
    type: str
  help:
    description: What C(llama-server --help) prints on the host, for a version that the collection does not know.
    type: str
  options:
    description: More options of llama-server, in the form of a launch.
    type: dict
  environment:
    description: More variables of the environment. Options (C(LLAMA_ARG_*)), what moves a projector, and secrets, which all can
      read, also as a part of an address, are refused.
    type: dict
  clients:
    description: Networks that may reach the port. Default is the host alone, if it listens on the loopback, else everybody.
    type: list
    elements: str
  mounts:
    description:
      - Folders that the server shall see in a container, beside that of the model.
      - Not given, it runs in no container.
    type: list
    elements: str
  credentials:
    description:
      - 'Files that only root may read, by the option that takes them, such as C({ssl_key_file: /etc/ssl/private/x.pem}).'
      - The unit hands them on as credentials of systemd.
    type: dict
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - plugin: prositronic.infra.llama_server_args
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Which GPUs would the instance be bound to?
  ansible.builtin.debug:
    msg: "{{ (plan | prositronic.infra.llama_server_service(host=ansible_facts['inference_host'], name='chat', port=8080,
                                                           model='/srv/models/qwen3-8b.gguf')).environment }}"
"""

RETURN = r"""
_value:
  description: Parts of the unit.
  type: dict
  contains:
    engine:
      description: Version of llama.cpp that the options are written for.
      type: str
    command:
      description: Options of C(llama-server), each with its values a line of C(ExecStart=).
      type: list
      elements: str
    trial_command:
      description: The same for a trial that touches no GPU and next to no memory.
      type: list
      elements: str
    environment:
      description: Assignments for C(Environment=), which leave only the plan's GPUs visible.
      type: list
      elements: str
    container_options:
      description: Options of C(docker run) and C(podman run), each with its value; empty without O(mounts).
      type: list
      elements: str
    container_own_options:
      description: Likewise, for what a trial does not have.
      type: list
      elements: str
    credentials:
      description: Assignments for C(LoadCredential=).
      type: list
      elements: str
    addresses:
      description: Addresses for C(IPAddressAllow=), empty where everybody may reach the port.
      type: list
      elements: str
    texts:
      description: Assignments for C(SetCredential=).
      type: list
      elements: str
    model_folders:
      description: Folders of the models, for C(RequiresMountsFor=).
      type: list
      elements: str
    uses_gpu:
      description: Whether the plan uses a GPU.
      type: bool
    device_allow:
      description: Devices for C(DeviceAllow=).
      type: list
      elements: str
    user_groups:
      description: Groups that own such devices, where they exist.
      type: list
      elements: str
    writes_code:
      description: Whether a driver makes machine code while it runs, so that memory has to be executable and writable.
      type: bool
    locks_memory:
      description: Whether weights are locked in RAM.
      type: bool
    memory_low_bytes:
      description: What the instance holds in RAM.
      type: int
    start_timeout_seconds:
      description: How long loading may take, by the size of the model.
      type: int
    record:
      description: What is written down on the host for the next plan.
      type: dict
"""


def llama_server_service(plan: t.Any, **named: t.Any) -> dict[str, t.Any]:
    answer = call(service.llama_server_service, {"plan": plan, **named}, "llama_server_service", AnsibleFilterError)
    return t.cast("dict[str, t.Any]", answer)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"llama_server_service": llama_server_service}
