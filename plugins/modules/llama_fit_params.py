#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_fit_params
short_description: What llama.cpp itself says that a launch takes
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Runs C(llama-fit-params) with the options of a launch. It reads the model's header and tells the buffers of each device
    without allocating them.
  - It reserves a row of logits for each token of a micro-batch, where C(llama-server) reserves one for each slot, so that
    its compute buffers are larger than those of the server.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
  - prositronic.infra._attributes.info_module
options:
  program:
    description: Path of C(llama-fit-params). A host without it is no error, see RV(found).
    type: path
    default: /usr/bin/llama-fit-params
  options:
    description:
      - Options of C(llama-server), each a list of its long name and its values. Those that C(llama-fit-params) does not have
        are left out and returned in RV(ignored).
    type: list
    elements: list
    required: true
  environment:
    description: Variables of its environment, such as those that choose GPUs. Secrets have no place here.
    type: dict
    default: {}
  timeout:
    description: Seconds that it may take.
    type: float
    default: 120.0
seealso:
  - module: prositronic.infra.llama_server_preflight
"""

EXAMPLES = r"""
- name: What does the engine say about 32k tokens with all layers on GPUs?
  prositronic.infra.llama_fit_params:
    options:
      - [--model, /srv/models/Qwen3-8B-Q4_K_M.gguf]
      - [--ctx-size, "32768"]
      - [--n-gpu-layers, "99"]
  register: told
"""

RETURN = r"""
found:
  description: Whether the host has the program.
  returned: success
  type: bool
devices:
  description: The buffers of each device in bytes, rounded down to MiB. The last one is the host, called V(Host).
  returned: success and RV(found)
  type: list
  elements: dict
  sample: [{device: CUDA0, weights_bytes: 4294967296, kv_bytes: 1073741824, compute_bytes: 314572800}]
ignored:
  description: Names of options that it does not have.
  returned: success and RV(found)
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils import fit_params
from ansible_collections.prositronic.infra.plugins.module_utils.bounded import Broken


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "path", "default": "/usr/bin/llama-fit-params"},
            "options": {"type": "list", "elements": "list", "required": True},
            "environment": {"type": "dict", "default": {}},
            "timeout": {"type": "float", "default": 120.0},
        },
        supports_check_mode=True,
    )
    program = module.params["program"]
    if not os.access(program, os.X_OK):
        module.exit_json(changed=False, found=False)
    options = [[str(word) for word in option] for option in module.params["options"] if option]
    environment = {name: str(value) for name, value in module.params["environment"].items()}
    try:
        devices, ignored = fit_params.ask(program, options, environment, module.params["timeout"])
    except Broken as problem:
        module.fail_json(msg=f"{program} {problem}")
    module.exit_json(changed=False, found=True, devices=devices, ignored=ignored)


if __name__ == "__main__":
    main()
