#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_server_info
short_description: Describe a running llama-server
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Reads what an instance of the role P(prositronic.infra.llama_server#role) tells of itself (its pages C(/health), C(/props),
    C(/slots) and C(/metrics)), what it printed while it loaded, and what the system counts of its memory.
  - Computes nothing on the server, so that requests in flight are not slowed down. Prompts and answers are never read.
  - An instance that does not run is no error, see RV(running).
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
  - prositronic.infra._attributes.info_module
options:
  name:
    description: Name of the instance.
    type: str
    required: true
  api_key:
    description:
      - Key for the server's pages, where it asks for one. Default is the first of the keys that the role has installed, which
        root can read. It is never returned.
    type: str
  timeout:
    description: Seconds that all tools of GPU vendors together may take.
    type: float
    default: 20.0
  state_folder:
    description: Where this collection keeps what it installed and measured on the host.
    type: path
    default: /var/lib/prositronic
notes:
  - The server counts rates if it was started with C(metrics), and tells its buffers with C(verbosity=4) or more. What is missing
    is null, with an entry in RV(problems) that says what to do.
seealso:
  - module: prositronic.infra.llama_server_instance
  - plugin: prositronic.infra.measured_run
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at the server
  prositronic.infra.llama_server_info:
    name: chat
  register: chat

- name: Say how it does
  ansible.builtin.debug:
    msg: "{{ chat.model.path }} is {{ chat.health }}, {{ chat.rates.decode_tokens_per_second }} tokens per second"
"""

RETURN = r"""
running:
  description: Whether the server runs. If not, only RV(unit) and RV(active) are returned.
  returned: success
  type: bool
unit:
  description: Name of the unit.
  returned: success
  type: str
  sample: llama-server-chat.service
active:
  description: State of the unit, as systemd calls it.
  returned: success
  type: str
  sample: active
measured_at:
  description: When it was looked at.
  returned: if it runs
  type: str
  sample: "2026-11-22T02:35:26Z"
pid:
  description: Number of its process.
  returned: if it runs
  type: int
restarts:
  description: How often systemd has started it again by itself.
  returned: if it runs
  type: int
url:
  description: Where it listens, as seen from the host itself.
  returned: if it runs
  type: str
  sample: http://127.0.0.1:8080
health:
  description: V(ok), V(loading) or V(error), null if it does not answer.
  returned: if it runs
  type: str
  sample: ok
command:
  description: The words it was started with, without what is secret.
  returned: if it runs
  type: list
  elements: str
build:
  description: Number of the build of llama.cpp.
  returned: if it runs
  type: int
  sample: 11669
model:
  description: The model as the server describes it, C(path), C(alias), C(type), C(parameters), C(bytes) and C(trained_context).
  returned: if it runs
  type: dict
slots:
  description: For each slot C(id), C(n_ctx) and C(is_processing). Null if the server hides them.
  returned: if it runs
  type: list
  elements: dict
load_seconds:
  description: Seconds from its start until it was ready.
  returned: if it runs
  type: float
devices:
  description: Buffers that it allocated on each device, in bytes. Null if its log does not tell.
  returned: if it runs
  type: list
  elements: dict
  sample: [{device: CUDA0, weights_bytes: 4294967296, kv_bytes: 1073741824, compute_bytes: 314572800}]
host:
  description: Buffers that it allocated in the host's memory, in bytes. Null if its log does not tell.
  returned: if it runs
  type: dict
gpus:
  description:
    - What its processes hold on each GPU by the count of the driver, with C(index), C(uuid), C(held_bytes) and C(clocks_limited_by). GPUs that it does
      not use are left out.
  returned: if it runs
  type: list
  elements: dict
driver:
  description: Version of the GPU driver.
  returned: if it runs
  type: str
host_held_bytes:
  description: The most RAM that it held, pages of mapped files included.
  returned: if it runs
  type: int
rates:
  description:
    - Tokens and seconds of all requests since its start, and C(prefill_tokens_per_second) and C(decode_tokens_per_second) of one
      request at a time. A rate is null below 64 tokens. Null if the server counts none.
  returned: if it runs
  type: dict
problems:
  description: What could not be read, each with what to do.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils.instance.files import InstanceFiles
from ansible_collections.prositronic.infra.plugins.module_utils.instance.observe import Server
from ansible_collections.prositronic.infra.plugins.module_utils.instance.systemd import Systemd, SystemdError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "api_key": {"type": "str", "no_log": True},
            "timeout": {"type": "float", "default": 20.0},
            "state_folder": {"type": "path", "default": "/var/lib/prositronic"},
        },
        supports_check_mode=True,
    )
    try:
        files = InstanceFiles(module.params["name"], module.params["state_folder"])
    except ValueError as refused:
        module.fail_json(msg=str(refused))
    try:
        server = Server(files, Systemd(), module.params["api_key"])
        seen = server.observe(module.params["timeout"])
    except SystemdError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, problems=server.problems, **seen)


if __name__ == "__main__":
    main()
