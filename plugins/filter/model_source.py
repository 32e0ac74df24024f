# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call

DOCUMENTATION = r"""
name: model_source
version_added: 1.0.0
short_description: Where the files of a planned model are
description:
  - Returns the repository of the Hugging Face hub that the catalog knows to publish the planned quant, or the file that the
    plan was made for.
  - A quant that nobody was seen to publish is refused. Nothing is asked of the network.
options:
  _input:
    description: A plan of M(prositronic.infra.model_fit).
    type: dict
    required: true
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.model_fit
"""

EXAMPLES = r"""
- name: Bring the files of the plan
  ansible.builtin.include_role:
    name: prositronic.infra.gguf_model
  vars:
    gguf_model_name: chat
    gguf_model_source: "{{ plan | prositronic.infra.model_source }}"
"""

RETURN = r"""
_value:
  description: A C(gguf_model_source) of the role P(prositronic.infra.gguf_model#role).
  type: dict
  sample: {hub: {repository: Qwen/Qwen3-30B-A3B-GGUF, quant: Q4_K_M}}
"""


def model_source(plan: t.Any, **named: t.Any) -> dict[str, t.Any]:
    answer = call(answers.model_source, {"plan": plan, **named}, "model_source", AnsibleFilterError)
    return t.cast("dict[str, t.Any]", answer)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"model_source": model_source}
