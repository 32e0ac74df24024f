#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is implemented as an action plugin.

from __future__ import annotations

DOCUMENTATION = r"""
module: helmfile_values_tree
version_added: 1.0.0
short_description: Values for helmfile for many models, quantisations and machines
description:
  - Plans every combination of models, quantisations and hardware of the catalog, and writes what
    C(helmfile --state-values-file) takes for it to C(values/<model>/<quant>/<gpu or server>.yaml), named by the catalog's
    slugs, such as C(values/deepseek-v3-1/q3_k_m/nvidia-rtx6000pro.yaml).
  - C(index.json) has a line for each combination. One that cannot run has no file, and its line says why.
  - The files depend on the catalog alone. Written again from the same data they are the same, byte for byte.
  - Files that an earlier run wrote and that are no more in the selection are removed; others in the folder are left alone.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
  - prositronic.infra._attributes.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  dest:
    description: Folder on the controller to write to.
    type: path
    required: true
  models:
    description: Names of the catalog, or V(all).
    type: list
    elements: str
    required: true
  quants:
    description: Quantisations, or V(all).
    type: list
    elements: str
    required: true
  hardware:
    description:
      - GPUs and servers of the catalog, or V(all).
      - A GPU alone stands for a machine with one of it. Its RAM is what the values ask of the cluster.
    type: list
    elements: str
    required: true
  ram_bytes:
    description: The most RAM that a plan for a GPU alone may use, in bytes. Default is 1 TiB.
    type: int
    default: 1099511627776
  context:
    description:
      - Tokens of one request. A number is the wanted length.
      - Default is what each model was trained for, where it fits.
    type: raw
  parallel:
    description: Requests that are served at once, each with the full context.
    type: int
  allow:
    description: What plans may use besides GPUs, as in M(prositronic.infra.model_fit).
    type: dict
  engine:
    description: Version of llama.cpp. Default is the newest that the collection knows.
    type: str
  namespace:
    description: Namespace of the releases.
    type: str
    default: llama-server
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.model_fit
  - plugin: prositronic.infra.helmfile_values
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Publish values for two models
  prositronic.infra.helmfile_values_tree:
    dest: ./public
    models: [deepseek-v3.1, qwen3-30b-a3b]
    quants: [Q3_K_M, Q4_K_M]
    hardware: all
    context: 32768
"""

RETURN = r"""
files:
  description: Number of combinations that have a file.
  returned: success
  type: int
written:
  description: Number of files whose content changed, in check mode would change.
  returned: success
  type: int
removed:
  description: Number of files of an earlier run that were removed, in check mode would be.
  returned: success
  type: int
without:
  description: Combinations that have no file, and why.
  returned: success
  type: list
  elements: dict
  contains:
    model:
      description: Slug of the model.
      type: str
    quant:
      description: The quantisation.
      type: str
    hardware:
      description: Slug of the GPU or server.
      type: str
    why:
      description: One sentence.
      type: str
"""
