# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call

DOCUMENTATION = r"""
name: helmfile_values
version_added: 1.0.0
short_description: A plan as values for helmfile
description:
  - Returns the state values that C(helmfile --state-values-file) takes for a plan, as YAML text with a comment at each
    block that says where its numbers come from.
  - They are for the chart and the C(helmfile.yaml.gotmpl) of the role C(helmfile_values), and follow
    C(docs/schemas/helmfile_values.schema.json).
  - Nothing secret is written. API keys and tokens are named as secrets that exist in the cluster.
options:
  _input:
    description: A plan of M(prositronic.infra.model_fit).
    type: dict
    required: true
  name:
    description:
      - Name of the release.
      - Default is the name that the plan was made for, or else model and quantisation.
    type: str
  namespace:
    description: Namespace of the release.
    type: str
    default: llama-server
  host:
    description:
      - The machine that the plan was made for, in the form that M(prositronic.infra.gpu_facts) returns.
      - With it, the choice of nodes knows the driver, what it keeps of the GPUs' memory, and MIG slices.
    type: dict
  repository:
    description:
      - Where the files are on the hub, such as V(unsloth/DeepSeek-V3.1-GGUF).
      - Default is a repository that the catalog knows to publish this model.
    type: str
  revision:
    description: Commit, branch or tag of the repository. Default is V(main).
    type: str
  files:
    description:
      - The files to download, where they shall be these and no others.
      - Without it, those of the plan's quantisation are looked up in the repository when the pod starts first, and kept.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in the repository, and on the volume.
        type: str
        required: true
      sha256:
        description: Its checksum.
        type: str
        required: true
      url:
        description: Where it comes from, if not from the repository.
        type: str
  options:
    description:
      - More options of llama-server, by their long names in snake_case.
      - What the plan or the chart decides is refused here.
    type: dict
  date:
    description: Day of the data that the plan was made from, to be told in the header.
    type: str
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.model_fit
  - module: prositronic.infra.helmfile_values_tree
"""

EXAMPLES = r"""
- name: Plan for a machine that is not rented yet
  prositronic.infra.model_fit:
    host: "{{ lookup('prositronic.infra.server', 'hetzner-gex131') }}"
    model: deepseek-v3.1
    quant: Q3_K_M
  register: fit

- name: Write what helmfile takes
  ansible.builtin.copy:
    content: "{{ fit.plan | prositronic.infra.helmfile_values(name='chat') }}"
    dest: ./chat.yaml
    mode: "0644"
"""

RETURN = r"""
_value:
  description: YAML text.
  type: str
"""


def helmfile_values(plan: t.Any, **named: t.Any) -> str:
    return t.cast(str, call(answers.helmfile_values, {"plan": plan, **named}, "helmfile_values", AnsibleFilterError))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"helmfile_values": helmfile_values}
