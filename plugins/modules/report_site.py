#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is implemented as an action plugin.

from __future__ import annotations

DOCUMENTATION = r"""
module: report_site
version_added: 1.0.0
short_description: Write a site of what runs where
description:
  - Writes pages that show how models run on machines of the catalog, and what is planned and measured on the hosts of the play.
  - The pages are files that work from a folder as from any web server, without a request to anywhere else.
  - There is a page for each combination of model, quantisation and machine, with pictures of the memory, the layers, the
    lengths of context and the speed, the commands that deploy it, and the values for helmfile.
  - The calculator works in the browser, for the models of the selection. Its figures are those of
    P(prositronic.infra.memory_estimate#filter), worked out here for each choice that it offers.
  - C(index.json) lists all of it for programs. Files that an earlier run wrote and that are no more wanted are removed;
    others in the folder are left alone.
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
  title:
    description: What the site is called.
    type: str
    default: Where models run
  base_url:
    description: Where the site will be published, for commands that fetch values from it. Without it they name files.
    type: str
    default: ""
  selection:
    description: What to make pages of, from the catalog.
    type: dict
    suboptions:
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
          - A GPU alone stands for a machine with one of it.
        type: list
        elements: str
        required: true
      ram_bytes:
        description: The RAM of the machine of a GPU alone, in bytes. Default is 1 TiB.
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
  fleet:
    description:
      - What M(prositronic.infra.fleet_fit) returned. With it there is a page of the fleet, problems first, from the facts
        of its hosts.
    type: dict
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.fleet_fit
  - module: prositronic.infra.helmfile_values_tree
"""

EXAMPLES = r"""
- name: Show how two models run on every machine of the catalog
  prositronic.infra.report_site:
    dest: ./public
    selection:
      models: [deepseek-v3.1, qwen3-30b-a3b]
      quants: [Q3_K_M, Q4_K_M]
      hardware: all
      context: 32768

- name: Show what is planned on the hosts of the play
  prositronic.infra.report_site:
    dest: ./public
    fleet: "{{ fleet }}"
  run_once: true
"""

RETURN = r"""
pages:
  description: Number of pages.
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
"""
