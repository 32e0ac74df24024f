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
      - A capability, V(code), V(multilingual), V(thinking), V(tool-calls) or V(vision), or
        V({capabilities: [code, tool-calls]}), stands for every model of the catalog that has it. Capabilities are what
        publishers claim.
      - The best runs from memory and gives what is asked for, has the better placement as O(objective) says, a
        quantisation that loses little, and a context of 32768 tokens where none is wanted. Among these it is the larger and
        newer model, in the better quantisation. The plan says in C(why) what the next better one lacks.
    type: raw
    required: true
  quant:
    description:
      - Quantisation, as llama-quantize names it, for example V(Q4_K_M).
      - A list, or V(auto) for every recipe that is worth its bytes, is chosen from with O(model).
      - Not needed for a file, which has its types. Default for a capability is V(auto).
    type: raw
  context:
    description:
      - Tokens of one request. A number is the wanted length.
    type: raw
    suboptions:
      wanted:
        description: As many as this where they fit. Default is what the model was trained for.
        type: int
      minimum:
        description: With fewer than this, the model is not worth serving and a slower placement is taken.
        type: int
        default: 4096
  speed:
    description:
      - Tokens per second that one request must be answered with. A number is the minimum.
      - Candidates that give less, by their expected rate behind the least context, come after those that do not.
    type: raw
    suboptions:
      minimum:
        description: So many at least.
        type: float
  parallel:
    description:
      - Requests that are served at once, each with the full context.
      - When not set, llama-server's own way is used, four slots that share one context.
    type: int
  objective:
    description:
      - What to give up last, V(speed), V(context) or V(quality).
    type: str
    choices: [speed, context, quality]
    default: speed
  allow:
    description: What the plan may use besides GPU memory.
    type: dict
    suboptions:
      host:
        description: Weights in the host's memory, computed by the CPU.
        type: bool
        default: true
      disk:
        description: Weights that are read from disk again and again, because no memory holds them.
        type: bool
        default: true
      cache_types:
        description: Types of the KV cache, the preferred one first.
        type: list
        elements: str
        choices: [f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0, q5_1]
        default: [f16]
  reserve:
    description: Memory that the plan leaves alone.
    type: dict
    suboptions:
      vram_bytes_per_gpu:
        description: On each GPU, for CUDA's own context and growth while serving.
        type: int
        default: 1073741824
      ram_bytes:
        description: In the host's memory. Default is 4 GiB, or an eighth of a machine with less than 32 GiB.
        type: int
  engine:
    description: Version of llama.cpp to plan for. Default is the newest that the collection knows.
    type: str
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
      - When to look for what would help, other quantisations, cache types, models and servers in RV(ignore:alternatives),
        changes of the machine in RV(ignore:upgrades), and hosted services in RV(ignore:hosted).
      - V(unfit) looks when the model does not run from memory, V(always) also for what would run it faster. In
        M(prositronic.infra.fleet_fit) the default is V(never), since it costs several plans each time.
    type: str
    choices: [never, unfit, always]
    default: unfit
requirements:
  - pydantic >= 2.8 on the controller
"""
