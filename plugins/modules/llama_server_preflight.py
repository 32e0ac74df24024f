#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is implemented as an action plugin.

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_server_preflight
short_description: Hold a plan against the engine before anything restarts
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Asks C(llama-fit-params) on the host what the plan's very options take, reads the header of the file that would be served,
    and compares each buffer of each device with the plan. A difference of more than 1 % of what the device holds is a
    failure that shows both countings side by side.
  - Looks what is free now. What the instance itself holds counts as free, since the new one takes its place.
  - Changes nothing, so that what serves goes on serving whatever comes out.
  - A host without C(llama-fit-params) cannot be asked. Then RV(checked) is false and only what is free was looked at.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
  - prositronic.infra._attributes.info_module
attributes:
  action:
    description: Has an action plugin, so that it computes on the controller.
    support: full
options:
  plan:
    description: The plan, as M(prositronic.infra.model_fit) returns it.
    type: dict
    required: true
  model:
    description: Path of the model's file on the host, of the first one if it has parts.
    type: str
    required: true
  name:
    description: Name of the instance that the plan takes the place of.
    type: str
  program:
    description: Path of C(llama-server) on the host. C(llama-fit-params) is looked for in the same folder.
    type: str
    default: /usr/bin/llama-server
  host:
    description:
      - What the plan was made for. Default is C(ansible_facts.inference_host) of the host, or else its variable
        C(inference_host).
    type: dict
  options:
    description:
      - More options of C(llama-server) that the service has. Memory that they take shows as a difference, since the plan
        does not count it.
    type: dict
    default: {}
  environment:
    description: More variables of the service's environment.
    type: dict
    default: {}
  version:
    description: What C(llama-server --version) prints on the host. Default is the version of the plan.
    type: str
  help:
    description: What C(llama-server --help) prints on the host, for a version that the collection does not know.
    type: str
  state_folder:
    description: Where this collection keeps what it installed and measured on the host.
    type: path
    default: /var/lib/prositronic
seealso:
  - module: prositronic.infra.llama_fit_params
  - module: prositronic.infra.llama_server_instance
"""

EXAMPLES = r"""
- name: The engine must agree before the service is touched
  prositronic.infra.llama_server_preflight:
    plan: "{{ fit.plan }}"
    model: /srv/models/Qwen3-8B-Q4_K_M.gguf
    name: chat
"""

RETURN = r"""
checked:
  description: Whether the engine was asked.
  returned: always
  type: bool
problems:
  description: What differs or is not free, a sentence each.
  returned: always
  type: list
  elements: str
table:
  description: The buffers of each device by the plan and by the engine, in MiB.
  returned: always
  type: list
  elements: str
  sample:
    - "                                 plan              llama-fit-params"
    - "MiB           model  context  compute      model  context  compute"
    - "CUDA0         4,096    1,024      300      4,096    1,024      300"
"""
