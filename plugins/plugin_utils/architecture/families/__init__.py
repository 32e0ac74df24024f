# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which architecture is described where; one file per family."""

from __future__ import annotations

from ..part import Architecture
from . import (
    cohere,
    deepseek,
    ernie,
    experts,
    falcon,
    gemma,
    glm,
    gpt_oss,
    granite,
    jamba,
    kimi,
    lfm,
    llama,
    mamba,
    minimax,
    nemotron,
    phi,
    plain,
    postnorm,
    qwen,
    windowed_experts,
)

ARCHITECTURES: dict[str, Architecture] = {
    **cohere.ARCHITECTURES,
    **deepseek.ARCHITECTURES,
    **ernie.ARCHITECTURES,
    **experts.ARCHITECTURES,
    **falcon.ARCHITECTURES,
    **gemma.ARCHITECTURES,
    **glm.ARCHITECTURES,
    **gpt_oss.ARCHITECTURES,
    **granite.ARCHITECTURES,
    **jamba.ARCHITECTURES,
    **kimi.ARCHITECTURES,
    **lfm.ARCHITECTURES,
    **llama.ARCHITECTURES,
    **mamba.ARCHITECTURES,
    **minimax.ARCHITECTURES,
    **nemotron.ARCHITECTURES,
    **phi.ARCHITECTURES,
    **plain.ARCHITECTURES,
    **postnorm.ARCHITECTURES,
    **qwen.ARCHITECTURES,
    **windowed_experts.ARCHITECTURES,
}
