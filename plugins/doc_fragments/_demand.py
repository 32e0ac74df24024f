# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection.

from __future__ import annotations


class ModuleDocFragment:
    # What a model shall do, wherever it runs.
    DOCUMENTATION = r"""
options:
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
      prefill:
        description:
          - So many of the prompt. For it C(ubatch_size) is raised from 512 up to 2048 as far as needed, which drives some experts
            from GPUs to RAM where these are full, but changes neither the placement nor the context.
        type: float
  parallel:
    description:
      - Requests that are served at once, each with the full context.
      - When not set, llama-server's own way is used, four slots that share one context.
    type: int
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
  mmproj:
    description:
      - Projector that is served with the model, for images, as M(prositronic.infra.gguf_info) returns its header in
        RV(prositronic.infra.gguf_info#module:gguf). It is counted with the largest image that it takes, on the first GPU of the
        plan, and is part of its launch. Buffers for sound are not counted, and a projector without images is refused.
      - It is made for one model, so that several models or a capability cannot be given with it.
    type: dict
  engine:
    description: Version of llama.cpp to plan for. Default is the newest that the collection knows.
    type: str
requirements:
  - pydantic >= 2.8 on the controller
"""
