#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gguf_info
short_description: Describe a GGUF model file on the host
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Reads the header of a GGUF file, or of all parts of a split model, and returns what is in it.
  - The value returned as RV(gguf) is accepted wherever this collection asks for a model, so that a plan can be made for
    exactly the files that lie on the host.
  - The tensor data itself is not read; a file of 300 GB takes no longer than one of 3 GB.
  - Fails when llama.cpp would not load the file, and says why. Among the reasons are parts that are missing or do not
    belong together, and a file that is shorter than its tensors need, as an interrupted download leaves it.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
  - prositronic.infra._attributes.info_module
options:
  path:
    description:
      - The GGUF file. Of a model in parts (C(NAME-00001-of-00009.gguf)) any part; the others must lie in the same
        directory.
      - Or a directory that holds exactly one model. Files in it whose name starts with C(mmproj) are taken for
        multimodal projectors, not for models.
      - A leading C(~) stands for the home directory. C($) is part of a name like any other character.
    type: str
    required: true
notes:
  - Needs no Python library on the host.
  - A GGUF file does not name quantisation mixtures of others than llama.cpp. A file called C(UD-Q4_K_XL) has the label
    of the llama.cpp type it was made from.
seealso:
  - name: GGUF
    description: Specification of the file format.
    link: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

EXAMPLES = r"""
- name: Look at a model file
  prositronic.infra.gguf_info:
    path: /srv/models/Qwen3-8B-Q4_K_M.gguf
  register: qwen

- name: Say what it is
  ansible.builtin.debug:
    msg: "{{ qwen.architecture }}, {{ qwen.quant }}, {{ qwen.gguf.metadata['qwen3.context_length'] }} tokens of context"

- name: Check that all parts of a split model have arrived in full
  prositronic.infra.gguf_info:
    path: /srv/models/DeepSeek-V3.1-Q4_K_M-00001-of-00009.gguf

- name: Look at the only model in a directory
  prositronic.infra.gguf_info:
    path: /srv/models/gpt-oss-120b
  register: model

- name: Plan how that model runs on this host
  prositronic.infra.model_fit:
    model: "{{ model.gguf }}"

- name: Refuse a file without a chat template
  ansible.builtin.assert:
    that: "'tokenizer.chat_template' in model.gguf.metadata"
    fail_msg: "{{ model.name }} has no chat template"
"""

RETURN = r"""
gguf:
  description: The model, as other parts of this collection take it.
  returned: success
  type: dict
  contains:
    schema:
      description: Version of this form.
      type: int
      sample: 1
    files:
      description: All files of the model, in the order of its parts. The first is the one to start llama-server with.
      type: list
      elements: dict
      contains:
        path:
          description: Absolute path on the host.
          type: str
          sample: /srv/models/Qwen3-8B-Q4_K_M.gguf
        size_bytes:
          description: Size of the file.
          type: int
          sample: 5027783488
    version:
      description: Version of the GGUF format.
      type: int
      sample: 3
    alignment:
      description: Alignment of tensor data in bytes.
      type: int
      sample: 32
    metadata:
      description:
        - All keys of the header with their values, of a split model those of its first part.
        - Arrays below C(tokenizer.), and other arrays of more than 1024 elements, are replaced by their number of
          elements, so that C(tokenizer.ggml.tokens) is the size of the vocabulary.
        - Chat templates (C(tokenizer.chat_template), C(tokenizer.chat_template.NAME)), and other strings of more than
          1024 bytes, are replaced by their number of bytes. A model without a template has no such key.
        - Numbers that are infinite or not a number are null.
      type: dict
      sample:
        general.architecture: qwen3
        general.name: Qwen3 8B
        general.file_type: 15
        qwen3.block_count: 36
        qwen3.context_length: 40960
        qwen3.attention.head_count_kv: 8
        tokenizer.ggml.model: gpt2
        tokenizer.ggml.tokens: 151936
        tokenizer.chat_template: 4049
    tensors:
      description: One line per tensor, in the order of the files, with its type, dimensions (row length first) and name.
      type: str
      sample: |
        Q4_K 4096x151936 token_embd.weight
        F32 4096 blk.0.attn_norm.weight
        Q6_K 12288x4096 blk.0.ffn_down.weight
architecture:
  description: Architecture as llama.cpp names it, null if the file has none.
  returned: success
  type: str
  sample: qwen3
name:
  description: Name of the model, null if the file has none.
  returned: success
  type: str
  sample: Qwen3 8B
parameters:
  description: Number of parameters, the elements of all tensors.
  returned: success
  type: int
  sample: 8190735360
quant:
  description: What the file was quantised to, null if the file does not say or llama.cpp does not know its number.
  returned: success
  type: str
  sample: Q4_K_M
tensor_bytes:
  description: Bytes of all tensors, without padding.
  returned: success
  type: int
  sample: 5021780992
file_bytes:
  description: Bytes of all files.
  returned: success
  type: int
  sample: 5027783488
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils import gguf
from ansible_collections.prositronic.infra.plugins.module_utils.gguf_header import GGUFError


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        model = gguf.read(module.params["path"])
    except GGUFError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, gguf=model.value(), **model.summary())


if __name__ == "__main__":
    main()
