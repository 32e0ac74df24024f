# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Feed-forward networks: dense, and mixtures of experts."""

from __future__ import annotations

from collections.abc import Iterator

from ..hyperparameters import Hyperparameters
from ..part import MATRIX, VECTOR, Condition, Entry, Part


def dense(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give the gated network: gate, up, down."""
    width, inner = h.embedding, h.feed_forward(layer)
    yield "ffn_gate.weight", (width, inner), MATRIX
    yield from ungated(h, layer)
    if h.checkpoint("feed_forward_bias", False):
        yield "ffn_gate.bias", (inner,), VECTOR
        yield "ffn_up.bias", (inner,), VECTOR
        yield "ffn_down.bias", (width,), VECTOR


def ungated(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give the plain network: up, down."""
    yield "ffn_up.weight", (h.embedding, h.feed_forward(layer)), MATRIX
    yield "ffn_down.weight", (h.feed_forward(layer), h.embedding), MATRIX


def fused(h: Hyperparameters, layer: int) -> Iterator[Entry]:
    """Give the gated network whose gate is the first half of the up matrix."""
    yield "ffn_up.weight", (h.embedding, 2 * h.feed_forward(layer)), MATRIX
    yield "ffn_down.weight", (h.feed_forward(layer), h.embedding), MATRIX


def never(h: Hyperparameters, layer: int) -> bool:
    """The condition that does not hold."""
    return False


def always(h: Hyperparameters, layer: int) -> bool:
    """The condition that holds."""
    return True


def sigmoid_router(h: Hyperparameters, layer: int) -> bool:
    """Tell whether the router scores by sigmoid, which goes with a bias for balancing."""
    return h.count("expert_gating_func", 1) == 2


def experts(balanced: Condition = never, shared_gate: bool = False) -> Part:
    """Return a mixture of gated experts with its router, and the shared expert where the hyperparameters have one.

    :param balanced: where the router has a bias per expert that balances their load.
    :param shared_gate: the shared expert has a gate of its own.
    """

    def entries(h: Hyperparameters, layer: int) -> Iterator[Entry]:
        width, count, inner = h.embedding, h.experts, h.expert_width(layer)
        yield "ffn_gate_inp.weight", (width, count), VECTOR
        yield "ffn_gate_exps.weight", (width, inner, count), MATRIX
        yield "ffn_down_exps.weight", (inner, width, count), MATRIX
        yield "ffn_up_exps.weight", (width, inner, count), MATRIX
        if balanced(h, layer):
            yield "exp_probs_b.bias", (count,), VECTOR
        shared = h.shared_expert_width(layer)
        if shared:
            yield from shared_expert(h, shared)
            if shared_gate:
                yield "ffn_gate_inp_shexp.weight", (width,), VECTOR

    return entries


def shared_expert(h: Hyperparameters, inner: int) -> Iterator[Entry]:
    """Give the expert that every token goes through."""
    yield "ffn_gate_shexp.weight", (h.embedding, inner), MATRIX
    yield "ffn_down_shexp.weight", (inner, h.embedding), MATRIX
    yield "ffn_up_shexp.weight", (h.embedding, inner), MATRIX
