#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is implemented as an action plugin.

from __future__ import annotations

DOCUMENTATION = r"""
module: model_fit
version_added: 1.0.0
short_description: Plan how a model fits a host
description:
  - Computes how a GGUF model runs on a host with llama.cpp, which layers and experts go on which GPU, how long the
    context can be, what every device will hold to the byte, what binds, and the options for C(llama-server).
  - Computed on the controller from gathered facts. Nothing runs on the host and nothing changes.
  - That a model does not fit is an answer, not an error. Look at RV(plan.fits), RV(plan.placement) and RV(plan.limit).
extends_documentation_fragment:
  - prositronic.infra._fit
  - prositronic.infra._demand
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
  - prositronic.infra._attributes.info_module
  - prositronic.infra._attributes.controller
options:
  host:
    description:
      - The machine to plan for, in the form that M(prositronic.infra.gpu_facts) returns and
        P(prositronic.infra.server#lookup) has for rented servers.
      - Default is C(ansible_facts.inference_host) of the host, or else its variable C(inference_host).
    type: dict
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.gpu_facts
  - module: prositronic.infra.fleet_fit
  - plugin: prositronic.infra.model_fit
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Gather what the host has
  prositronic.infra.gpu_facts:

- name: Plan a model of the catalog
  prositronic.infra.model_fit:
    model: deepseek-v3.1
    quant: Q4_K_M
    context:
      wanted: 32768
  register: fit

- name: Stop before anything is downloaded that cannot run from memory
  ansible.builtin.assert:
    that: fit.plan is prositronic.infra.fitting
    fail_msg: "{{ fit.plan.limit }}"

- name: Plan for a machine that is not rented yet
  prositronic.infra.model_fit:
    host: "{{ lookup('prositronic.infra.server', 'hetzner-gex131') }}"
    model: gpt-oss-120b
    quant: MXFP4

- name: Share the GPUs of the host out to two replicas and another model
  prositronic.infra.model_fit:
    models:
      - {name: chat, model: gpt-oss-120b, quant: MXFP4, port: 8080, replicas: 2}
      - {name: code, model: qwen3-30b-a3b, quant: Q4_K_M, port: 8090}
  register: shared

- name: The best quantisation that serves 32k tokens at 20 tokens per second
  prositronic.infra.model_fit:
    model: llama-3.3-70b-instruct
    quant: auto
    context: 32768
    speed: 20

- name: Which model for coding with tools is the best for this host, and why
  prositronic.infra.model_fit:
    model:
      capabilities: [code, tool-calls]
  register: best

- name: Show the decision
  ansible.builtin.debug:
    msg: "{{ best.plan.model.name }} in {{ best.plan.quant.name }}, {{ best.plan.why }}"
"""

RETURN = r"""
plans:
  description: With O(models), a plan for each of them in their order.
  returned: with O(models)
  type: list
  elements: dict
unplaced:
  description: With O(models), names of those that do not run from memory beside the others.
  returned: with O(models)
  type: list
  elements: str
plan:
  description: The plan, as described by C(docs/schemas/plan.schema.json).
  returned: without O(models)
  type: dict
  contains:
    fits:
      description: Whether the model runs from memory. False where weights must be read from disk, or nothing works.
      type: bool
      sample: true
    placement:
      description: Where the weights are, V(gpu), V(gpu+host), V(host), V(disk) or V(none).
      type: str
      sample: gpu+host
    limit:
      description: What binds.
      type: str
      sample: "GPU memory: the experts of 41 of 58 layers stay in RAM"
    why:
      description: Why this one, where there were several candidates.
      type: str
      sample: "the best of 20 choices; Q8_0 has the better quality, but runs on GPUs and in RAM, not on GPUs"
    launch:
      description: Options for C(llama-server).
      type: dict
      sample: {ctx_size: 32768, n_gpu_layers: 62, n_cpu_moe: 41}
    memory:
      description: Bytes for each device and the host, and the lines they are made of.
      type: dict
    warnings:
      description: What to know before running it.
      type: list
      elements: str
    alternatives:
      description: Other candidates, and with O(advice) what would run instead, each in short with why it is not the first.
      type: list
      elements: dict
    upgrades:
      description: Changes of the machine and what each gives, and what would not help.
      type: list
      elements: dict
      sample: [{change: "+128 GiB RAM", gives: "runs on GPUs and in RAM at 3.5 to 8.1 tokens/s", helps: true}]
    hosted:
      description: Who serves the model or others like it for a fee, by name and link.
      type: list
      elements: dict
"""
