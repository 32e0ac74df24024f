#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_bench
short_description: Measure how fast llama.cpp runs a model on the host
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Runs C(llama-bench) with given options, and watches the memory that it holds on each GPU and in RAM meanwhile.
  - Takes memory and time of GPUs and processors like a server. Where a server runs, both are slower, and the memory has to be
    enough for two.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is run and RV(found) is all that is returned.
  diff_mode:
    support: N/A
    details:
      - Nothing is changed on the host.
  idempotent:
    support: full
    details:
      - Nothing is changed on the host.
options:
  arguments:
    description: Words for C(llama-bench), as the filter P(prositronic.infra.llama_bench_args#filter) returns them.
    type: list
    elements: str
    required: true
  program:
    description: Path of C(llama-bench).
    type: path
    default: /usr/bin/llama-bench
  environment:
    description: Variables of its environment, such as those that choose GPUs. Secrets have no place here.
    type: dict
    default: {}
  timeout:
    description: Seconds that it may take.
    type: float
    default: 3600.0
seealso:
  - plugin: prositronic.infra.llama_bench_args
    plugin_type: filter
  - plugin: prositronic.infra.measured_run
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Measure the plan
  prositronic.infra.llama_bench:
    arguments: "{{ bench.arguments }}"
    environment: "{{ bench.environment }}"
  vars:
    bench: "{{ fit.plan | prositronic.infra.llama_bench_args(host=ansible_facts['inference_host'],
                                                            model='/srv/models/Qwen3-8B-Q4_K_M.gguf') }}"
  register: measured
"""

RETURN = r"""
found:
  description: Whether the host has the program.
  returned: success
  type: bool
measured_at:
  description: When it ended.
  returned: if it ran
  type: str
  sample: "2026-11-22T02:35:26Z"
build:
  description: Number of the build of llama.cpp.
  returned: if it ran
  type: int
  sample: 11669
model:
  description: C(parameters) and C(bytes) of the model, as the engine counts them.
  returned: if it ran
  type: dict
context:
  description: Tokens of the largest context that it made.
  returned: if it ran
  type: int
  sample: 640
rates:
  description: For each C(depth) of context the tokens per second of reading a prompt and of generating, with their deviation.
  returned: if it ran
  type: list
  elements: dict
devices:
  description: Buffers that it allocated on each device for its largest context, in bytes.
  returned: if it ran
  type: list
  elements: dict
  sample: [{device: CUDA0, weights_bytes: 4294967296, kv_bytes: 83886080, compute_bytes: 314572800}]
host:
  description: Buffers that it allocated in the host's memory for its largest context, in bytes.
  returned: if it ran
  type: dict
gpus:
  description: The most that it held on each GPU that it used by the driver's count, with C(index), C(uuid), C(held_bytes) and C(clocks_limited_by).
  returned: if it ran
  type: list
  elements: dict
driver:
  description: Version of the GPU driver.
  returned: if it ran
  type: str
busy_cores:
  description: How many cores other programs kept busy in the minute before.
  returned: if it ran
  type: float
host_held_bytes:
  description: The most RAM that it held, pages of mapped files included.
  returned: if it ran
  type: int
"""

import datetime
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils import bench
from ansible_collections.prositronic.infra.plugins.module_utils.bounded import Broken


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "arguments": {"type": "list", "elements": "str", "required": True},
            "program": {"type": "path", "default": "/usr/bin/llama-bench"},
            "environment": {"type": "dict", "default": {}},
            "timeout": {"type": "float", "default": 3600.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    found = os.access(given["program"], os.X_OK)
    if module.check_mode:
        module.exit_json(changed=False, found=found)
    if not found:
        module.fail_json(msg=f"{given['program']} is not on this host: install llama.cpp's tools, or name the program")
    environment = {name: str(value) for name, value in given["environment"].items()}
    try:
        result = bench.run(given["program"], given["arguments"], environment, given["timeout"])
    except Broken as problem:
        module.fail_json(msg=f"{given['program']} {problem}")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    module.exit_json(changed=False, found=True, measured_at=now, **result)


if __name__ == "__main__":
    main()
