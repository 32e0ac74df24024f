# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  model:
    description:
      - The model, or a list of candidates of which the best for the host is planned.
      - A catalog id such as V(deepseek-v3.1), the RV(prositronic.infra.gguf_info#module:gguf) of a file, or the value
        of P(prositronic.infra.from_hf_config#filter).
      - >-
        A capability, V(code), V(multilingual), V(thinking), V(tool-calls) or V(vision), or
        V({capabilities: [code, tool-calls]}), stands for every model of the catalog that has it. Capabilities are what
        publishers claim.
      - The best runs from memory and gives what is asked for, has the better placement as O(objective) says, a
        quantisation that loses little, and a context of 32768 tokens where none is wanted. Among these it is the larger and
        newer model, in the better quantisation. The plan says in C(why) what the next better one lacks.
      - Required unless O(models) is given.
    type: raw
  models:
    description:
      - Models that shall run on the host at once, each entry with a C(name) and the options of this plugin. GPUs are shared
        out so that none belongs to two of them, and RAM so that it is enough for all.
      - The answer is C({plans, unplaced}), a plan for each entry in their order, and the names of those that do not run from
        memory beside the others. With C(replicas), an entry stands for so many of it, C(NAME-1), C(NAME-2) and so on, on
        ports that count up.
    type: list
    elements: dict
  quant:
    description:
      - Quantisation, as llama-quantize names it, for example V(Q4_K_M).
      - A list, or V(auto) for every recipe that is worth its bytes, is chosen from with O(model).
      - Not needed for a file, which has its types. Default for a capability is V(auto).
    type: raw
  objective:
    description:
      - What to give up last, V(speed), V(context) or V(quality).
    type: str
    choices: [speed, context, quality]
    default: speed
  name:
    description:
      - Name that the model is served under.
      - What an instance of that name holds on the host counts as free, since this plan takes its place. When not set,
        what any instance of this collection holds does.
    type: str
  port:
    description: Port that the model is served on.
    type: int
  replan:
    description:
      - Whether to plan anew where an instance of this O(name) was installed for the same request and still fits.
      - Otherwise its plan is kept, so that a second run changes nothing.
    type: bool
    default: false
  advice:
    description:
      - When to look for what would help, other quantisations, cache types, models and servers in C(alternatives),
        changes of the machine in C(upgrades), and hosted services in C(hosted).
      - V(unfit) looks when the model does not run from memory, V(always) also for what would run it faster. In
        M(prositronic.infra.fleet_fit) the default is V(never), since it costs several plans each time.
    type: str
    choices: [never, unfit, always]
    default: unfit
"""
