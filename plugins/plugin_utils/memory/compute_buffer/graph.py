# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A compute graph as ggml sees it: operations, their shapes and what they read. No data, only what decides memory.

The methods are named for ggml's operations and give their results' shapes. Nodes enter the graph in the order in which
ggml visits them (`ggml_build_forward_expand`: sources first, left to right), because the allocator goes by that order.
"""

from __future__ import annotations

import typing as t

from ....module_utils.ggml_types import ggml_type
from ..alignment import cuda_bytes

Shape = tuple[int, int, int, int]

INPUT = 1
OUTPUT = 2

# Operations that give another view of a tensor's data.
VIEW_OPS = frozenset({"RESHAPE", "VIEW", "PERMUTE", "TRANSPOSE"})
# Operations whose result may take the place of an operand (`ggml_op_can_inplace`).
INPLACE_OPS = frozenset({"FILL", "SCALE", "ADD", "ADD_ID", "SUB", "MUL", "DIV", "SQR", "SQRT", "UNARY", "ROPE",
                         "RMS_NORM", "CLAMP", "SOFT_MAX"})  # fmt: skip
LEAF = "LEAF"
TYPE_BYTES = {"f32": 4, "f16": 2, "BF16": 2, "i32": 4, "i64": 8}


class Node:
    """One tensor of the graph.

    `size` are its bytes, `gpu_size` what a CUDA device takes for it. `root` is the tensor whose memory a view shows, None
    where it is no view. `layout` is equal for tensors that may take each other's place, None for a strided one. `device`
    is where a tensor lies that is allocated outside the graph (weights, caches), None for the graph's own. `backend` is
    where it is, or is computed, None until that is decided. `layer` is the block it was made for.
    """

    __slots__ = ("addr", "backend", "children", "device", "flags", "gpu_size", "held", "layer", "layout", "ne", "op", "root",
                 "seen", "size", "src", "type", "views", "weight")  # fmt: skip

    def __init__(self, op: str, ne: Shape, size: int, src: tuple[Node, ...], root: Node | None, layout: t.Any,
                 type: str = "f32") -> None:  # fmt: skip
        self.op = op
        self.ne = ne
        self.size = size
        self.gpu_size = size
        self.src = src
        self.root = root
        self.layout = layout
        self.type = type
        self.device: int | None = None
        self.weight = False
        self.backend: int | None = None
        self.flags = 0
        self.layer = -1
        self.seen = False
        # the allocator's own notes
        self.children = 0
        self.views = 0
        self.held: int | None = None
        self.addr = 0

    def __repr__(self) -> str:
        return f"{self.op} {'x'.join(map(str, self.ne))} {self.type} layer {self.layer} backend {self.backend}"


class Graph:
    """The nodes in order, and the leaves (inputs and constants) that the graph itself must hold.

    `cpu`: the number of the CPU's backend, the last one. `attention`: the nodes of flash attention.
    """

    def __init__(self, cpu: int) -> None:
        self.cpu = cpu
        self.nodes: list[Node] = []
        self.leaves: list[Node] = []
        self.attention: list[Node] = []

    # making nodes

    def leaf(self, ne: Shape, type: str = "f32", flags: int = INPUT) -> Node:
        """An input, set before every run; with other `flags` a constant made within the graph."""
        size = ne[0] * ne[1] * ne[2] * ne[3] * TYPE_BYTES[type]
        node = Node(LEAF, ne, size, (), None, ne if type == "f32" else (type, ne), type)
        node.flags = flags
        return node

    def external(
        self, ne: Shape, type: str, device: int, size: int = 0, gpu_size: int = 0, weight: bool = False
    ) -> Node:
        """A tensor that lies in a buffer of its own: a weight or a cache."""
        node = Node(LEAF, ne, size, (), None, (type, ne), type)
        node.gpu_size = gpu_size or size
        node.device = device
        node.backend = self.cpu if device < 0 else device
        node.weight = weight
        return node

    def op(self, name: str, ne: Shape, *src: Node) -> Node:
        """Any operation with an f32 result."""
        return Node(name, ne, 4 * ne[0] * ne[1] * ne[2] * ne[3], src, None, ne)

    def integers(self, name: str, ne: Shape, *src: Node) -> Node:
        """Any operation with an i32 result."""
        return Node(name, ne, 4 * ne[0] * ne[1] * ne[2] * ne[3], src, None, ("i32", ne), "i32")

    def same(self, name: str, a: Node, *others: Node) -> Node:
        """An operation whose result has the shape and type of its first operand."""
        ne = a.ne
        if a.type == "f32":
            return Node(name, ne, 4 * ne[0] * ne[1] * ne[2] * ne[3], (a, *others), None, ne)
        size = TYPE_BYTES[a.type] * ne[0] * ne[1] * ne[2] * ne[3]
        return Node(name, ne, size, (a, *others), None, (a.type, ne), a.type)

    def add(self, a: Node, b: Node) -> Node:
        return self.same("ADD", a, b)

    def mul(self, a: Node, b: Node) -> Node:
        return self.same("MUL", a, b)

    def scale(self, a: Node) -> Node:
        return self.same("SCALE", a)

    def unary(self, a: Node) -> Node:
        """silu, sigmoid, gelu, tanh and their like."""
        return self.same("UNARY", a)

    def rope(self, a: Node, position: Node, factors: Node | None = None) -> Node:
        return self.same("ROPE", a, position) if factors is None else self.same("ROPE", a, position, factors)

    def cont(self, a: Node, ne: Shape | None = None) -> Node:
        node = self.same("CONT", a)
        if ne is not None:
            node.ne = ne
            node.layout = ne if a.type == "f32" else (a.type, ne)
        return node

    def mul_mat(self, a: Node, b: Node) -> Node:
        ne = b.ne
        return self.op("MUL_MAT", (a.ne[1], ne[1], ne[2], ne[3]), a, b)

    def mul_mat_id(self, a: Node, b: Node, ids: Node) -> Node:
        return self.op("MUL_MAT_ID", (a.ne[1], ids.ne[0], b.ne[2], 1), a, b, ids)

    def get_rows(self, a: Node, rows: Node) -> Node:
        ne = (a.ne[0], rows.ne[0], rows.ne[1], rows.ne[2])
        return self.op("GET_ROWS", ne, a, rows)

    def concat(self, a: Node, b: Node, dim: int) -> Node:
        shape = list(a.ne)
        shape[dim] += b.ne[dim]
        ne = t.cast(Shape, tuple(shape))
        if a.type == "f32":
            return self.op("CONCAT", ne, a, b)
        kind = ggml_type(a.type)
        size = ne[0] * ne[1] * ne[2] * ne[3] // kind.block_elements * kind.block_bytes
        node = Node("CONCAT", ne, size, (a, b), None, (a.type, ne), a.type)
        node.gpu_size = cuda_bytes(size, a.type, ne[0])
        return node

    def repeat(self, a: Node, ne: Shape) -> Node:
        size = TYPE_BYTES[a.type] * ne[0] * ne[1] * ne[2] * ne[3]
        return Node("REPEAT", ne, size, (a,), None, ne if a.type == "f32" else (a.type, ne), a.type)

    def glu(self, a: Node, b: Node) -> Node:
        return self.same("GLU", a, b)

    def glu_halves(self, a: Node) -> Node:
        """A gated activation whose two halves lie in one tensor."""
        ne = a.ne
        return self.op("GLU", (ne[0] // 2, ne[1], ne[2], ne[3]), a)

    # views

    def reshape(self, a: Node, ne: Shape) -> Node:
        layout = ne if a.type == "f32" else (a.type, ne)
        return Node("RESHAPE", ne, a.size, (a,), a.root or a, layout, a.type)

    def permute(self, a: Node, ne: Shape) -> Node:
        node = Node("PERMUTE", ne, a.size, (a,), a.root or a, None, a.type)
        node.gpu_size = a.gpu_size
        return node

    def transpose(self, a: Node) -> Node:
        return Node("TRANSPOSE", (a.ne[1], a.ne[0], a.ne[2], a.ne[3]), a.size, (a,), a.root or a, None, a.type)

    def view(self, a: Node, ne: Shape, *strides: int) -> Node:
        """A part of `a`. `strides`: bytes from row to row, where there are gaps; what is not given follows without one."""
        each = TYPE_BYTES.get(a.type, 2)
        count = ne[0] * ne[1] * ne[2] * ne[3]
        if not strides:
            return Node("VIEW", ne, count * each, (a,), a.root or a, ne if a.type == "f32" else (a.type, ne), a.type)
        size = each * ne[0] if count else 0
        stride = 0
        for dimension in (1, 2, 3):
            stride = strides[dimension - 1] if dimension <= len(strides) else stride * ne[dimension - 1]
            size += (ne[dimension] - 1) * stride if count else 0
        return Node("VIEW", ne, size, (a,), a.root or a, None, a.type)

    def part(self, a: Node, ne: Shape) -> Node:
        """A part of `a` that nothing may take the place of; as large as its elements."""
        kind = ggml_type(a.type)
        size = ne[0] * ne[1] * ne[2] * ne[3] // kind.block_elements * kind.block_bytes
        node = Node("VIEW", ne, size, (a,), a.root or a, None, a.type)
        if kind.block_elements > 1:
            node.gpu_size = cuda_bytes(size, a.type, ne[0])
        return node

    def write(self, name: str, into: Node, *src: Node) -> Node:
        """SET_ROWS or CPY: the result is a view of what is written to."""
        return Node(name, into.ne, 0, src, into.root or into, None, into.type)

    def cast(self, a: Node, type: str) -> Node:
        """A copy in another type."""
        ne = a.ne
        size = TYPE_BYTES[type] * ne[0] * ne[1] * ne[2] * ne[3]
        return Node("CPY", ne, size, (a,), None, (type, ne), type)

    # order

    def expand(self, node: Node) -> Node:
        """Put `node` into the graph, after everything it reads that is not there yet."""
        if not node.seen:
            self._visit(node)
        return node

    def _visit(self, node: Node) -> None:
        node.seen = True
        for source in node.src:
            if not source.seen:
                self._visit(source)
        if node.op is not LEAF:
            self.nodes.append(node)
        elif node.device is None:
            self.leaves.append(node)
