# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which backend executes which node, and what is copied between backends: `ggml_backend_sched_split_graph`.

The GPUs are backends 0, 1, …; the last backend is the CPU. Every GPU is taken to have a kernel for every operation.
Source: `ggml/src/ggml-backend.cpp` of ggml 0.27.
"""

from __future__ import annotations

import typing as t

from .graph import INPUT, OUTPUT, VIEW_OPS, Node

# Copies of the inputs with pipeline parallelism (GGML_SCHED_MAX_COPIES).
PIPELINE_COPIES = 4
# CUDA takes an operation whose weights lie on the host from this many rows on.
OFFLOAD_ROWS = 32


# Rope factors and attention sinks are too small to decide where their operation runs.
DECIDED_BY_NEIGHBOURS = frozenset({"FLASH_ATTN_EXT", "ROPE"})


class Schedule(t.NamedTuple):
    """What the allocator gets: leaves and nodes with their backends, in order. DEP nodes keep an input until its copy."""

    leaves: list[tuple[Node, int]]
    nodes: list[tuple[Node, int]]


def offload_rows(node: Node) -> int:
    """Return the rows that decide whether a GPU takes a node whose weights lie on the host."""
    ne = node.ne
    if node.op == "GET_ROWS":
        return 0
    if node.op == "MUL_MAT":
        return ne[1]
    if node.op in ("MUL_MAT_ID", "ROPE", "ROPE_BACK"):
        return ne[2]
    return ne[1] * ne[2] * ne[3]


def assign(nodes: list[Node], leaves: list[Node], cpu: int, op_offload: bool) -> None:
    """Decide every node's and leaf's backend."""
    for leaf in leaves:
        if leaf.flags & INPUT:
            leaf.backend = cpu
    computed = []
    for node in nodes:
        node.backend = _by_its_tensors(node, cpu, op_offload)
        if node.op not in VIEW_OPS:
            computed.append(node)
    backwards = computed[::-1]
    for order, gpus_only in ((computed, True), (backwards, True), (computed, False), (backwards, False)):
        current = None
        for node in order:
            backend = node.backend
            if backend is None:
                node.backend = current
            else:
                current = None if gpus_only and backend == cpu else backend
    for node in nodes:
        if node.backend is None:
            root = node.root
            node.backend = cpu if root is None or root.backend is None else root.backend
        for source in node.src:
            if source.backend is None:
                root = source.root
                source.backend = node.backend if root is None else root.backend


def _by_its_tensors(node: Node, cpu: int, op_offload: bool) -> int | None:
    """The backend that a node's own buffer, or its weights, ask for."""
    root = node.root
    if root is not None and root.device is not None:
        return root.backend
    for source in node.src:
        if source.weight and node.op not in DECIDED_BY_NEIGHBOURS:
            if source.backend != cpu:
                return source.backend
            # the first GPU is asked first, and takes every operation
            return 0 if op_offload and cpu > 0 and offload_rows(node) >= OFFLOAD_ROWS else cpu
    return None


def split(nodes: list[Node], leaves: list[Node], cpu: int, copies: int = 1) -> Schedule:
    """Return the nodes with the copies that cross from one backend to another, in the order they are allocated."""
    order: list[tuple[Node, int]] = []
    copied: dict[tuple[int, int], Node] = {}
    split_leaves: list[tuple[Node, int]] = []
    backend = next((t.cast(int, node.backend) for node in nodes if node.op not in VIEW_OPS), cpu)
    members: list[Node] = []
    inputs: list[Node] = []

    def close() -> None:
        for source in inputs:
            # keeps the source until its copy is made
            order.append((Node("DEP", source.ne, 0, (source,), source, None), cpu))
            order.append((copied[id(source), backend], backend))
        order.extend((member, t.cast(int, member.backend)) for member in members)

    for node in nodes:
        if node.op in VIEW_OPS:
            members.append(node)
            continue
        new = node.backend != backend
        elsewhere = [source for source in node.src if source.backend != node.backend]
        # weights from elsewhere start a split of their own
        if not new and elsewhere and inputs:
            new = any(source.weight for source in elsewhere)
        if new:
            close()
            members, inputs = [], []
            backend = t.cast(int, node.backend)
        if elsewhere:
            copies_here: dict[int, Node] = {}
            for source in elsewhere:
                key = id(source), backend
                copy = copied.get(key)
                if copy is None:
                    copy = copied[key] = _copy(source)
                    inputs.append(source)
                    if copies > 1:
                        copy.flags |= OUTPUT
                        split_leaves.append((copy, backend))
                        split_leaves.extend((_kept_copy(source), backend) for _copy in range(copies - 1))
                copies_here[id(source)] = copy
            node.src = tuple(copies_here.get(id(source), source) for source in node.src)
        members.append(node)
    close()
    first: list[tuple[Node, int]] = []
    if copies > 1:
        for leaf in leaves:
            if leaf.flags & INPUT:
                leaf.flags |= OUTPUT
                first.append((leaf, cpu))
                first.extend((_kept_copy(leaf), cpu) for _copy in range(copies - 1))
    own = [(leaf, cpu if leaf.backend is None else leaf.backend) for leaf in leaves]
    return Schedule(first + split_leaves + own, order)


def _copy(source: Node) -> Node:
    node = Node("COPY", source.ne, source.size, (), None, source.layout, source.type)
    node.gpu_size = source.gpu_size
    return node


def _kept_copy(source: Node) -> Node:
    """A copy that lives as long as the graph, so that the next batch can be prepared meanwhile."""
    copy = _copy(source)
    copy.flags = OUTPUT
    return copy
