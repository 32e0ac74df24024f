# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_hf_config as engine

DOCUMENTATION = r"""
name: from_hf_config
version_added: 1.0.0
short_description: A Hugging Face model's config.json as a model to plan for
description:
  - Reads the C(config.json) of a Hugging Face model as llama.cpp's converter does, and returns the metadata that its GGUF
    file would have. With a quant this gives every tensor, and so the model can be planned for before it is downloaded.
  - Knows the architectures of Llama, Mistral, Qwen, Gemma, DeepSeek, GLM, gpt-oss, Kimi, MiniMax, Granite, Nemotron, Phi,
    Command and others. One it does not know is refused. Its file can still be planned for, see
    M(prositronic.infra.gguf_info).
options:
  _input:
    description:
      - The parsed C(config.json). Of a multimodal model the language model is read; its projector is not counted.
      - Keys that are left out have the defaults of the transformers library.
    type: dict
    required: true
  name:
    description:
      - What to call the model.
      - Default is the last part of C(_name_or_path), or the name of the architecture.
    type: str
  mtp:
    description:
      - Whether blocks for multi-token prediction are part of the file.
      - Default is what published files of the architecture have.
    type: bool
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.gguf_info
"""

EXAMPLES = r"""
- name: What would this model take at Q4_K_M with 32k tokens?
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'config.json') | from_json
             | prositronic.infra.from_hf_config(name='our-model')
             | prositronic.infra.memory_estimate(quant='Q4_K_M', launch={'ctx_size': 32768},
                                                 gpus=[{'memory_free_bytes': 24696061952}]) }}"
"""

RETURN = r"""
_value:
  description: The model, accepted wherever a model is, together with a quant.
  type: dict
  contains:
    id:
      description: The model's name.
      type: str
    name:
      description: The model's name.
      type: str
    metadata:
      description:
        - GGUF keys, as llama.cpp's converter writes them.
        - Keys that begin with C(checkpoint.) tell what a GGUF file shows by the tensors it has.
      type: dict
    warnings:
      description: What to know of it, for example that positions are scaled beyond the trained context.
      type: list
      elements: str
"""


def from_hf_config(config: t.Any, **named: t.Any) -> dict[str, t.Any]:
    value = call(engine.value, {"config": config, **named}, "from_hf_config", AnsibleFilterError)
    for warning in value["warnings"]:
        Display().warning(f"from_hf_config: {value['name']}: {warning}.")
    return t.cast("dict[str, t.Any]", value)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"from_hf_config": from_hf_config}
