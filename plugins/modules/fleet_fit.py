#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is implemented as an action plugin.

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_fit
version_added: 1.0.0
short_description: Plan models for many hosts in one pass
description:
  - Plans every model for every host of the play at once. Use it with C(run_once).
  - Identical machines share a plan, so that thousands of hosts cost little.
  - Computed on the controller from gathered facts. Nothing runs on the hosts and nothing changes.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
  - prositronic.infra._attributes.info_module
  - prositronic.infra._attributes.controller
options:
  models:
    description:
      - What to plan, each entry with a C(name) and the options of M(prositronic.infra.model_fit).
      - With C(replicas), an entry stands for so many of it, C(NAME-1), C(NAME-2) and so on, on ports that count up.
    type: list
    elements: dict
    required: true
  together:
    description:
      - Whether all models shall run at once on each host, so that no GPU belongs to two of them.
      - When not set, each model is planned as if it had the machine for itself.
    type: bool
    default: false
  hosts:
    description:
      - Names of the hosts to plan for. Default is every host of the play.
    type: list
    elements: str
  show:
    description:
      - Whether to print the answer as a table for people.
    type: bool
    default: false
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.model_fit
"""

EXAMPLES = r"""
- name: Gather what every host has
  prositronic.infra.gpu_facts:

- name: Plan two models for all of them
  prositronic.infra.fleet_fit:
    models:
      - name: chat
        model: gpt-oss-20b
        quant: MXFP4
      - name: code
        model: qwen3-30b-a3b
        quant: Q4_K_M
        context: 65536
    show: true
  run_once: true
  register: fleet
"""

RETURN = r"""
plans:
  description: The different plans, each in the form of M(prositronic.infra.model_fit).
  returned: success
  type: list
  elements: dict
hosts:
  description: For each host, the index into RV(plans) by the model's name.
  returned: success
  type: dict
  sample: {gpu01: {chat: 0, code: 1}, gpu02: {chat: 0, code: 1}}
missing:
  description: Hosts without facts, because they could not be reached or were not asked.
  returned: success
  type: list
  elements: str
  sample: [gpu03]
summary:
  description:
    - The answer in a few entries, for later steps of a workflow. Hosts that run the same model from the same place are counted
      together, with the least of their contexts.
  returned: success
  type: list
  elements: dict
  sample: [{name: chat, model: gpt-oss-20b, quant: MXFP4, placement: gpu, fits: true, context: 131072, hosts: 2}]
refused:
  description: Hosts that no build of the engine runs on, with the reason, such as the driver's version that is needed.
  returned: success
  type: dict
  sample: {gpu04: driver 470.5 is too old for llama.cpp 0.7.0 with CUDA; install 570.26 or newer}
table:
  description: The answer as lines of text, for people.
  returned: success
  type: list
  elements: str
"""
