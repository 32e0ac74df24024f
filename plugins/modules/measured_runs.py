#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: measured_runs
short_description: Keep what was measured on a host for its next plan
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Adds runs of P(prositronic.infra.measured_run#filter) to C(measured.json) in the state folder of the host, where
    M(prositronic.infra.gpu_facts) finds them for the next plan.
  - Of the same program, build of llama.cpp, model and launch only the newest run is kept, and of all the newest hundred.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  runs:
    description: The runs to add, as described by C(docs/schemas/measured.schema.json).
    type: list
    elements: dict
    required: true
  state_folder:
    description: Where this collection keeps what it installed and measured on the host.
    type: path
    default: /var/lib/prositronic
seealso:
  - module: prositronic.infra.llama_server_info
  - module: prositronic.infra.gpu_facts
"""

EXAMPLES = r"""
- name: Look at the server
  prositronic.infra.llama_server_info:
    name: chat
  register: chat

- name: Keep what it takes for the next plan
  prositronic.infra.measured_runs:
    runs: ["{{ (chat | prositronic.infra.measured_run(plan=fit.plan, host=ansible_facts['inference_host'])).run }}"]
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /var/lib/prositronic/measured.json
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils import measured
from ansible_collections.prositronic.infra.plugins.module_utils.host_files import Files


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "runs": {"type": "list", "elements": "dict", "required": True},
            "state_folder": {"type": "path", "default": "/var/lib/prositronic"},
        },
        supports_check_mode=True,
    )
    files, folder = Files(), module.params["state_folder"]
    before, problems = measured.read(files, folder)
    after = before
    try:
        for run in module.params["runs"]:
            after = measured.with_run(after, run)
    except KeyError as missing:
        module.fail_json(
            msg=f"runs: a run has no '{missing.args[0]}'; give what the filter measured_run returns as run"
        )
    path = measured.path(folder)
    if after is not None and after != before and not module.check_mode:
        try:
            measured.save(files, folder, after)
        except OSError as error:
            module.fail_json(msg=f"{path} cannot be written: {error.strerror}")
    for problem in problems:
        module.warn(problem)
    module.exit_json(
        changed=after != before,
        path=path,
        diff={
            "before_header": path,
            "after_header": path,
            "before": measured.text(before),
            "after": measured.text(after),
        },
    )


if __name__ == "__main__":
    main()
