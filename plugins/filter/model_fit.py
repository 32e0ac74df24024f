# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call

DOCUMENTATION = r"""
name: model_fit
version_added: 1.0.0
short_description: Plan how a model fits a host
description:
  - The same as M(prositronic.infra.model_fit), as a filter over the facts of a host.
extends_documentation_fragment:
  - prositronic.infra._fit
  - prositronic.infra._demand
positional: model
options:
  _input:
    description:
      - The machine, in the form that M(prositronic.infra.gpu_facts) returns as C(inference_host).
    type: dict
    required: true
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.model_fit
  - module: prositronic.infra.fleet_fit
"""

EXAMPLES = r"""
- name: How would this model run here?
  ansible.builtin.debug:
    msg: "{{ ansible_facts.inference_host | prositronic.infra.model_fit('deepseek-v3.1', quant='Q4_K_M') }}"

- name: Group the hosts that can serve a model from memory
  ansible.builtin.group_by:
    key: "{{ 'serving' if (ansible_facts.inference_host
                           | prositronic.infra.model_fit('qwen3-30b-a3b', quant='Q4_K_M', context=32768))
                          is prositronic.infra.fitting else 'idle' }}"

- name: The options for a machine that is not rented yet
  ansible.builtin.debug:
    msg: "{{ (lookup('prositronic.infra.server', 'hetzner-gex131')
              | prositronic.infra.model_fit('gpt-oss-120b', quant='MXFP4')).launch }}"
"""

RETURN = r"""
_value:
  description:
    - The plan, as M(prositronic.infra.model_fit) returns it. With O(models), C({plans, unplaced}).
  type: dict
"""


def model_fit(host: t.Any, model: t.Any = None, **options: t.Any) -> dict[str, t.Any]:
    asked = options if model is None else {**options, "model": model}
    return call(answers.model_fit, {**asked, "host": host}, "model_fit", AnsibleFilterError)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"model_fit": model_fit}
