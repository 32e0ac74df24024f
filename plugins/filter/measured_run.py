# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call

DOCUMENTATION = r"""
name: measured_run
version_added: 1.0.0
short_description: What was measured, held against the plan
description:
  - Turns what M(prositronic.infra.llama_server_info) or M(prositronic.infra.llama_bench) saw into a run that
    M(prositronic.infra.measured_runs) keeps for the next plan.
  - Compares it with the plan, figure by figure, each within the error that the plan states for it. Buffers are exact to 1 %,
    a device in all to its overhead, and a rate has its band.
  - Where a rate is below its band, names what the facts of the host show to be a likely cause, such as other processes on the GPU,
    lowered clocks or missing PCIe lanes.
options:
  _input:
    description: What one of the two modules returned.
    type: dict
    required: true
  plan:
    description: The plan that was run.
    type: dict
    required: true
  host:
    description: The C(inference_host) facts of the host.
    type: dict
    required: true
  model:
    description:
      - The RV(prositronic.infra.gguf_info#module:gguf) of the file that was run. With it the memory of a benchmark is compared
        too, which has another context than the plan.
    type: dict
  name:
    description: Name of the instance that was looked at.
    type: str
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - module: prositronic.infra.llama_server_info
  - module: prositronic.infra.llama_bench
  - module: prositronic.infra.measured_runs
"""

EXAMPLES = r"""
- name: Look at the server
  prositronic.infra.llama_server_info:
    name: chat
  register: chat

- name: Show planned and measured figures
  ansible.builtin.debug:
    msg: "{{ (chat | prositronic.infra.measured_run(plan=fit.plan, host=ansible_facts['inference_host'], name='chat')).table }}"
"""

RETURN = r"""
_value:
  description: The run, and how it compares.
  type: dict
  contains:
    run:
      description: The run, as described by C(docs/schemas/measured.schema.json).
      type: dict
    figures:
      description: Each figure with C(what), C(where), C(unit), C(planned), C(low), C(high), C(measured) and C(differs).
      type: list
      elements: dict
    table:
      description: The figures as lines of text. A line that differs begins with an exclamation mark.
      type: list
      elements: str
    problems:
      description: A sentence for each figure outside of the error that the plan states.
      type: list
      elements: str
    advice:
      description: Likely causes of a rate below its band, from the facts of the host. Empty where no rate is.
      type: list
      elements: str
"""


def measured_run(seen: t.Any, **named: t.Any) -> dict[str, t.Any]:
    answer = call(answers.measured_run, {"seen": seen, **named}, "measured_run", AnsibleFilterError)
    return t.cast("dict[str, t.Any]", answer)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"measured_run": measured_run}
