# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recurrent parts: Mamba 1 and 2, gated delta nets, Kimi's delta attention, short convolutions.

They take the batch as `[width, tokens per slot, slots]`. Sources: `build_rs` of `src/llama-graph.cpp`,
`src/models/mamba-base.cpp`, `delta-net-base.cpp`, `kimi-linear.cpp`, `lfm2.cpp` of llama.cpp 0.7.0.
"""

from __future__ import annotations

from ...anatomy import Layer
from ...placement import HOST
from ..graph import Node, Shape
from .transformer import Transformer


class Recurrent(Transformer):
    """What the families with recurrent blocks share."""

    @property
    def slots(self) -> int:
        return self.context.n_seqs

    @property
    def each(self) -> int:
        """Tokens per slot."""
        return self.tokens // self.slots

    @property
    def state_rows(self) -> Node:
        """Which slot's state each slot continues."""
        return self.input("rs_s_copy", (self.slots, 1, 1, 1), "i32")

    def state_cache(self, what: str, layer: Layer, width: int) -> Node:
        """The states of all slots, as `[width, slots]`."""
        key = layer.index, f"cache_{what}"
        node = self._weights.get(key)
        if node is None:
            device = self.setting.devices[layer.index] if self.setting.kv_offload else HOST
            node = self._weights[key] = self.graph.external(
                (width, self.slots, 1, 1), "f32", device, 4 * width * self.slots
            )
        return node

    def rows_of(self, cache: Node) -> Node:
        """The cache by slots, one state of it cleared for slots that start."""
        graph = self.graph
        states = graph.reshape(cache, cache.ne)
        zeroed = graph.view(states, (cache.ne[0], 1, 1, 1))
        graph.expand(graph.write("SCALE", zeroed, zeroed))
        return states

    def loaded_state(self, cache: Node) -> Node:
        """The states that the slots continue, copied out of the cache."""
        graph = self.graph
        width = cache.ne[0]
        states = self.rows_of(cache)
        rows = graph.get_rows(states, self.state_rows)
        main = graph.expand(graph.view(rows, (width, self.slots, 1, 1)))
        self.moved_rest(graph.view(rows, (width, 0, 1, 1)), cache)
        return main

    def moved_rest(self, rest: Node, cache: Node) -> None:
        """Slots that the batch does not touch: none in the largest graph, but the copy is there."""
        graph = self.graph
        target = graph.view(cache, (cache.ne[0], 0, 1, 1))
        graph.expand(graph.write("CPY", target, rest, target))

    def store(self, value: Node, cache: Node, ne: Shape | None = None) -> None:
        """Write new states back."""
        graph = self.graph
        target = graph.view(cache, ne or (cache.ne[0], self.slots, 1, 1))
        graph.expand(graph.write("CPY", target, value, target))

    def convolution_input(self, state: Node, x: Node) -> Node:
        """The kept columns before the new ones: `x` `[width, each, slots]` gives `[kept + each, width, slots]`."""
        graph = self.graph
        return graph.concat(state, graph.transpose(x), 0)

    def kept(self, joined: Node, columns: int) -> Node:
        """The last columns, which the next batch needs."""
        return self.graph.view(joined, (columns, joined.ne[1], self.slots, 1), joined.ne[0] * 4)

    def convolved(self, joined: Node, kernel: Node) -> Node:
        return self.graph.op("SSM_CONV", (joined.ne[1], self.each, self.slots, 1), joined, kernel)

    # Mamba 2

    def mamba2(self, layer: Layer, x: Node) -> Node:
        """A Mamba 2 mixer with its output matrix."""
        graph, index = self.graph, layer.index
        slots, each = self.slots, self.each
        kernel, inner = self.number("ssm.conv_kernel"), self.number("ssm.inner_size")
        state, groups = self.number("ssm.state_size"), int(self.anatomy.get("ssm.group_count", 1))
        heads = self.number("ssm.time_step_rank")
        length = inner // heads
        width = inner + 2 * groups * state
        rolling = self.state_cache("r", layer, layer.rolling)
        saved = self.state_cache("s", layer, layer.state)
        conv = graph.reshape(self.loaded_state(rolling), (kernel - 1, width, slots, 1))
        projected = self.mm("ssm_in", x, index)
        projected = graph.reshape(projected, (projected.ne[0], each, slots, 1))
        row = projected.ne[0] * 4
        joined = self.convolution_input(conv, graph.view(projected, (width, each, slots, 1), row))
        self.store(self.kept(joined, kernel - 1), rolling)
        states = self.rows_of(saved)
        mixed = self.convolved(joined, self.need("ssm_conv1d.weight", index))
        mixed = graph.unary(self.biased(mixed, "ssm_conv1d", index))
        hidden = graph.view(mixed, (length, heads, each, slots), length * 4, width * 4)
        steps = graph.cont(graph.view(projected, (heads, each, slots, 1), row))
        steps = self.biased(steps, "ssm_dt", index)
        b = graph.view(mixed, (state, groups, each, slots), state * 4, width * 4)
        c = graph.view(mixed, (state, groups, each, slots), state * 4, width * 4)
        by_head = graph.reshape(states, (state, length, heads, slots))
        size = (inner * self.tokens + state * inner * slots, 1, 1, 1)
        scan_inputs = by_head, hidden, steps, self.need("ssm_a", index), b, c, self.slot_ids
        scanned = self.scanned(graph.op("SSM_SCAN", size, *scan_inputs), states, saved, (saved.ne[0], slots, 1, 1))
        gate = graph.cont(graph.view(projected, (length, heads, each, slots), length * 4, row))
        y = graph.view(scanned, (length, heads, each, slots))
        y = graph.add(y, graph.mul(hidden, self.need("ssm_d", index)))
        y = graph.glu(gate, y)
        if self.weight("ssm_norm.weight", index) is not None:
            y = graph.reshape(y, (inner // groups, groups, each, slots))
            y = self.norm(y, "ssm_norm", index)
        return self.mm("ssm_out", graph.reshape(y, (inner, self.tokens, 1, 1)), index)

    def scanned(self, scan: Node, states: Node, saved: Node, ne: Shape) -> Node:
        """Put a scan in the graph, whose result holds the outputs and, after them, the new states, and store these."""
        graph = self.graph
        graph.expand(scan)
        rest = graph.get_rows(states, self.other_slots)
        self.moved_rest(graph.view(rest, (saved.ne[0], 0, 1, 1)), saved)
        self.store(graph.view(scan, ne), saved, ne)
        return scan

    @property
    def slot_ids(self) -> Node:
        known = self._inputs.get("slot_ids")
        if known is None:
            known = self._inputs["slot_ids"] = self.graph.view(self.state_rows, (self.slots, 1, 1, 1))
        return known

    @property
    def other_slots(self) -> Node:
        known = self._inputs.get("other_slots")
        if known is None:
            known = self._inputs["other_slots"] = self.graph.view(self.state_rows, (self.slots - 1, 1, 1, 1))
        return known

    # Mamba 1

    def mamba1(self, layer: Layer, x: Node) -> Node:
        """A Mamba 1 mixer, with Jamba's norms where the model has them, as `[embd, tokens]`."""
        graph, index = self.graph, layer.index
        slots, each = self.slots, self.each
        kernel, inner = self.number("ssm.conv_kernel"), self.number("ssm.inner_size")
        state, rank = self.number("ssm.state_size"), self.number("ssm.time_step_rank")
        rolling = self.state_cache("r", layer, layer.rolling)
        saved = self.state_cache("s", layer, layer.state)
        conv = graph.reshape(self.loaded_state(rolling), (kernel - 1, inner, slots, 1))
        x = graph.reshape(x, (x.ne[0], each, slots, 1))
        both = self.mm("ssm_in", x, index)
        joined = self.convolution_input(conv, graph.view(both, (inner, each, slots, 1), both.ne[0] * 4))
        self.store(self.kept(joined, kernel - 1), rolling, (rolling.ne[0] * slots, 1, 1, 1))
        states = self.rows_of(saved)
        mixed = self.convolved(joined, self.need("ssm_conv1d.weight", index))
        mixed = graph.unary(self.biased(mixed, "ssm_conv1d", index))
        selected = self.mm("ssm_x", mixed, index)
        row = selected.ne[0] * 4
        steps = graph.view(selected, (rank, each, slots, 1), row)
        b = graph.view(selected, (state, 1, each, slots), state * 4, row)
        c = graph.view(selected, (state, 1, each, slots), state * 4, row)
        if self.weight("ssm_dt_norm.weight", index) is not None:
            steps = self.norm(steps, "ssm_dt_norm", index)
            b, c = self.norm(b, "ssm_b_norm", index), self.norm(c, "ssm_c_norm", index)
        steps = self.mm("ssm_dt", steps, index)
        hidden = graph.reshape(mixed, (1, inner, each, slots))
        by_head = graph.reshape(states, (state, 1, inner, slots))
        size = (inner * self.tokens + state * inner * slots, 1, 1, 1)
        scan_inputs = by_head, hidden, steps, self.need("ssm_a", index), b, c, self.slot_ids
        scanned = self.scanned(graph.op("SSM_SCAN", size, *scan_inputs), states, saved, (saved.ne[0] * slots, 1, 1, 1))
        gate = graph.cont(graph.view(both, (inner, each, slots, 1), both.ne[0] * 4))
        y = graph.view(scanned, (inner, each, slots, 1))
        y = graph.add(y, graph.mul(mixed, self.need("ssm_d", index)))
        out = self.mm("ssm_out", graph.glu(gate, y), index)
        return graph.reshape(out, (out.ne[0], self.tokens, 1, 1))

    # delta nets

    def delta_rule(self, q: Node, k: Node, v: Node, decay: Node, beta: Node, state: Node) -> Node:
        """The gated delta rule: outputs, and after them the new states, in one tensor."""
        length, heads = v.ne[0], v.ne[1]
        rows = self.tokens + length * self.slots * self.context.kept_states
        return self.graph.op("GATED_DELTA_NET", (length * heads, rows, 1, 1), q, k, v, decay, beta, state)
