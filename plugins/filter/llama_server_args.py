# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call
from ansible_collections.prositronic.infra.plugins.plugin_utils.render import command_line

DOCUMENTATION = r"""
name: llama_server_args
version_added: 1.0.0
short_description: A plan as llama-server's command line
description:
  - Returns the words that start C(llama-server) for a plan or a launch, written for one version of llama.cpp.
  - An option that this version does not have, or no longer has, is refused with what to use instead. So is a value that
    it does not take, and an option that would show a secret in the process list.
options:
  _input:
    description:
      - A plan of M(prositronic.infra.model_fit), or a launch, llama-server's long options in snake_case.
      - Lists are joined by commas. Options with on, off and auto take booleans.
    type: dict
    required: true
  engine:
    description:
      - Version of llama.cpp, such as V(0.7.0).
      - Default is that of the plan, for a launch the newest version that the collection knows.
    type: str
  options:
    description:
      - More options of llama-server, in the form of a launch.
      - What the plan decides is refused here.
    type: dict
  model:
    description: Path of the model's file, of the first one if it has parts.
    type: str
  help:
    description:
      - What C(llama-server --help) prints, for a version that the collection does not know.
      - Is not used for a version that it knows.
    type: str
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.model_fit
"""

EXAMPLES = r"""
- name: Show how to start the model by hand
  ansible.builtin.debug:
    msg: "llama-server {{ plan | prositronic.infra.llama_server_args(model='/srv/models/qwen3-8b.gguf') | join(' ') }}"

# -> --ctx-size 8192 --flash-attn on --metrics
- name: A launch, and an option beside it
  ansible.builtin.debug:
    msg: "{{ {'ctx_size': 8192, 'flash_attn': true}
             | prositronic.infra.llama_server_args(options={'metrics': true}) | join(' ') }}"
"""

RETURN = r"""
_value:
  description: The words after C(llama-server), in the order in which C(--help) lists the options.
  type: list
  elements: str
"""


def llama_server_args(plan: t.Any, **named: t.Any) -> list[str]:
    answer = call(command_line.llama_server_args, {"plan": plan, **named}, "llama_server_args", AnsibleFilterError)
    return t.cast("list[str]", answer)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"llama_server_args": llama_server_args}
