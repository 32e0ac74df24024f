# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call

DOCUMENTATION = r"""
name: memory_estimate
version_added: 1.0.0
short_description: The memory that llama-server takes for a launch
description:
  - Computes what C(llama-server) allocates on every GPU and on the host when it is started with given options, to the
    byte for weights and KV cache.
  - Fails where C(llama-server) would refuse the launch, and says why.
options:
  _input:
    description:
      - The model, a catalog id such as V(deepseek-v3.1), the RV(prositronic.infra.gguf_info#module:gguf) of a file, or
        the value of P(prositronic.infra.from_hf_config#filter).
    type: raw
    required: true
  launch:
    description:
      - Options of C(llama-server) in snake_case, for example C(ctx_size) and C(n_gpu_layers).
      - What is absent has C(llama-server)'s own default.
    type: dict
    default: {}
  gpus:
    description:
      - The GPUs in the order that the engine sees them. Each has C(memory_free_bytes), which decides how layers are
        shared out where O(launch) has no C(tensor_split).
      - None means that the model runs on the CPU.
    type: list
    elements: dict
    default: []
  quant:
    description: Quantisation for a model that is not a file, as llama-quantize names it.
    type: str
  mmproj:
    description:
      - RV(prositronic.infra.gguf_info#module:gguf) of the vision projector that the launch loads.
      - It is what C(mmproj) in O(launch) names; a path alone does not say what the file takes.
    type: dict
  model_draft:
    description:
      - The draft model, given like the model itself. It counts where C(spec_type) in O(launch) is V(draft-simple).
    type: raw
  lora:
    description: RV(prositronic.infra.gguf_info#module:gguf) of each LoRA adapter.
    type: list
    elements: dict
  engine:
    description: Version of llama.cpp. Default is the newest that the collection knows.
    type: str
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.gguf_info
"""

EXAMPLES = r"""
- name: What would 32k tokens take on one 24 GB card?
  ansible.builtin.debug:
    msg: "{{ 'llama-3.1-8b-instruct'
             | prositronic.infra.memory_estimate(quant='Q4_K_M', launch={'ctx_size': 32768},
                                                 gpus=[{'memory_free_bytes': 24696061952}]) }}"

- name: Read the header of a file on the host
  prositronic.infra.gguf_info:
    path: /srv/models/DeepSeek-V3.1-Q4_K_M-00001-of-00009.gguf
  register: file

- name: The bytes on the first GPU with all experts in RAM
  ansible.builtin.debug:
    msg: "{{ (file.gguf
              | prositronic.infra.memory_estimate(launch={'ctx_size': 131072, 'cpu_moe': true},
                                                  gpus=ansible_facts.inference_host.gpus)).devices[0].total_bytes
             | human_readable }}"
"""

RETURN = r"""
_value:
  description: The estimate, as described by C(docs/schemas/memory_estimate.schema.json).
  type: dict
  contains:
    devices:
      description: Bytes on each GPU, of weights, KV cache, compute buffer, what is loaded beside the model, and overhead.
      type: list
      elements: dict
    host:
      description:
        - Bytes in the host's memory, and how much of them are pages of files (C(mapped_bytes)) or pinned.
        - C(growth_bytes) may be added while the server runs, by the prompt cache and context checkpoints.
      type: dict
    lines:
      description: What these are made of, where each is, and how it is known.
      type: list
      elements: dict
    warnings:
      description: What the engine does that the options do not say, for example that it turns flash attention off.
      type: list
      elements: str
"""


def memory_estimate(model: t.Any, **options: t.Any) -> dict[str, t.Any]:
    return call(answers.memory_estimate, {**options, "model": model}, "memory_estimate", AnsibleFilterError)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"memory_estimate": memory_estimate}
