# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call
from ansible_collections.prositronic.infra.plugins.plugin_utils.render import router

DOCUMENTATION = r"""
name: llama_server_router
version_added: 1.0.0
short_description: Several plans as what the unit of one llama-server says
description:
  - Returns what the role P(prositronic.infra.llama_server#role) writes into the unit of an instance that serves several models
    behind one address. C(llama-server) is its own router then, and each model a process that it starts.
  - The preset of the models is checked against the version of C(llama-server), which would not start with an option in it that
    it does not know.
options:
  _input:
    description:
      - The models, each with its C(name) for clients, its C(plan), the path of its file on the host as C(model), and if wanted
        C(options) of C(llama-server).
      - The plans must be made to run together, as M(prositronic.infra.fleet_fit) makes them with C(together).
    type: list
    elements: dict
    required: true
  host:
    description: The C(inference_host) facts of the host.
    type: dict
    required: true
  name:
    description: Name of the instance.
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
    description: What C(llama-server --version) prints on the host. Default is the version of the first plan.
    type: str
  help:
    description: What C(llama-server --help) prints on the host, for a version that the collection does not know.
    type: str
  options:
    description: Options of llama-server for all models, in the form of a launch.
    type: dict
  environment:
    description: More variables of the environment. Options (C(LLAMA_ARG_*)), what moves a projector, and secrets, which all can
      read, also as a part of an address, are refused.
    type: dict
  clients:
    description: Networks that may reach the port. Default is the host alone, if it listens on the loopback, else everybody.
    type: list
    elements: str
  credentials:
    description: Files that only root may read, by the option that takes them.
    type: dict
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - plugin: prositronic.infra.llama_server_service
    plugin_type: filter
"""

EXAMPLES = r"""
- name: The preset of two models
  ansible.builtin.debug:
    msg: "{{ ([{'name': 'chat', 'plan': chat_plan, 'model': '/srv/models/chat.gguf'},
               {'name': 'code', 'plan': code_plan, 'model': '/srv/models/code.gguf'}]
              | prositronic.infra.llama_server_router(host=ansible_facts['inference_host'], name='models', port=8080)).texts }}"
"""

RETURN = r"""
_value:
  description: Parts of the unit, in the form of P(prositronic.infra.llama_server_service#filter).
  type: dict
"""


def llama_server_router(models: t.Any, **named: t.Any) -> dict[str, t.Any]:
    answer = call(router.llama_server_router, {"models": models, **named}, "llama_server_router", AnsibleFilterError)
    return t.cast("dict[str, t.Any]", answer)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"llama_server_router": llama_server_router}
