# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call
from ansible_collections.prositronic.infra.plugins.plugin_utils.render import bench

DOCUMENTATION = r"""
name: llama_bench_args
version_added: 1.0.0
short_description: A plan as the command line of llama-bench
description:
  - Returns what C(llama-bench) is started with to measure a plan with its very options. It has llama-server's options in a form of
    its own.
options:
  _input:
    description: A plan of M(prositronic.infra.model_fit) or M(prositronic.infra.fleet_fit).
    type: dict
    required: true
  host:
    description: The C(inference_host) facts of the host.
    type: dict
    required: true
  model:
    description: Path of the model's file on the host, of the first one if it has parts.
    type: str
    required: true
  depths:
    description: Tokens of context that are there already, each measured by itself.
    type: list
    elements: int
    default: [0]
  prompt_tokens:
    description: Length of the prompt that is read.
    type: int
    default: 512
  generated_tokens:
    description: How many tokens are generated.
    type: int
    default: 128
  repetitions:
    description: How often each test is made.
    type: int
    default: 3
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.llama_bench
"""

EXAMPLES = r"""
- name: Measure a plan with an empty context, and with 8192 tokens in it
  prositronic.infra.llama_bench:
    arguments: "{{ bench.arguments }}"
    environment: "{{ bench.environment }}"
  vars:
    bench: "{{ fit.plan | prositronic.infra.llama_bench_args(host=ansible_facts['inference_host'], depths=[0, 8192],
                                                            model='/srv/models/Qwen3-8B-Q4_K_M.gguf') }}"
"""

RETURN = r"""
_value:
  description: What the program is started with.
  type: dict
  contains:
    arguments:
      description: Its words, without the program itself.
      type: list
      elements: str
    environment:
      description: Variables that leave only the plan's GPUs visible.
      type: dict
"""


def llama_bench_args(plan: t.Any, **named: t.Any) -> dict[str, t.Any]:
    answer = call(bench.llama_bench_args, {"plan": plan, **named}, "llama_bench_args", AnsibleFilterError)
    return t.cast("dict[str, t.Any]", answer)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"llama_bench_args": llama_bench_args}
