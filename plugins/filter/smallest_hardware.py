# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call

DOCUMENTATION = r"""
name: smallest_hardware
version_added: 1.0.0
short_description: The least hardware that runs a model
description:
  - Finds the least number of each GPU of the catalog that holds a model with its context, the least GPU and RAM that hold
    it together, and servers that can be rented with either. Says of each why less does not do.
  - Free memory is what the catalog knows of a GPU. A machine's own is known only once it runs.
extends_documentation_fragment:
  - prositronic.infra._demand
options:
  _input:
    description:
      - The model, a catalog id such as V(deepseek-v3.1), the RV(prositronic.infra.gguf_info#module:gguf) of a file, or the
        value of P(prositronic.infra.from_hf_config#filter).
    type: raw
    required: true
  quant:
    description: Quantisation for a model that is not a file, as llama-quantize names it.
    type: str
  gpus:
    description:
      - GPUs of the catalog to choose among, each of which is told.
      - When not set, all are, and those that need the least memory are told.
    type: list
    elements: str
  max_gpus:
    description: GPUs that a machine can have, 16 at most.
    type: int
    default: 8
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.model_fit
  - plugin: prositronic.infra.gpu
    plugin_type: lookup
  - plugin: prositronic.infra.server
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: How many of which GPU hold DeepSeek V3 with its experts, for 128k tokens?
  ansible.builtin.debug:
    msg: "{{ item.count }} x {{ item.gpu }}, {{ item.why }}"
  loop: "{{ ('deepseek-v3' | prositronic.infra.smallest_hardware(
                quant='Q4_K_M', context=131072, gpus=['H100', 'H200', 'MI300X'], allow={'host': false})).options }}"

- name: What to rent for four users of a 70 B model at 20 tokens per second each
  ansible.builtin.debug:
    msg: "{{ ('llama-3.3-70b-instruct'
              | prositronic.infra.smallest_hardware(quant='Q4_K_M', context=32768, parallel=4, speed=20)).servers }}"
"""

RETURN = r"""
_value:
  description: The answer, as described by C(docs/schemas/hardware.schema.json).
  type: dict
  contains:
    options:
      description:
        - So many of a GPU, those with the least GPU memory first. First those that hold everything, then those that need
          RAM of the host as well.
      type: list
      elements: dict
      sample:
        - count: 6
          gpu: H100-SXM-80GB
          placement: gpu
          why: >-
            weights and cache take 384.8 GiB in GPU memory, 1.0 GiB of each GPU stay free; 5 have 390.8 GiB, but with their
            compute buffers no split of whole layers of up to 7.1 GiB fits
    servers:
      description: Servers of the catalog that run it, each with the newest price that is known, its date and source.
      type: list
      elements: dict
    reserve_bytes_per_gpu:
      description: What was left alone on each GPU.
      type: int
"""


def smallest_hardware(model: t.Any, **options: t.Any) -> dict[str, t.Any]:
    return call(answers.smallest_hardware, {**options, "model": model}, "smallest_hardware", AnsibleFilterError)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"smallest_hardware": smallest_hardware}
