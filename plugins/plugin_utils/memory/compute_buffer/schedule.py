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
    for node in nodes:
        if node.backend is None:
            node.backend = _by_its_tensors(node, cpu, op_offload)
    computed = [node for node in nodes if node.op not in VIEW_OPS]
    for order, gpus_only in ((computed, True), (computed[::-1], True), (computed, False), (computed[::-1], False)):
        current = None
        for node in order:
            if node.backend is not None:
                current = None if gpus_only and node.backend == cpu else node.backend
            elif current is not None:
                node.backend = current
    for node in nodes:
        if node.backend is None:
            root = node.root
            node.backend = cpu if root.backend is None or node.op not in VIEW_OPS else root.backend
        for source in node.src:
            if source.backend is None and source.device is None:
                root = source.root
                source.backend = root.backend if root is not source and root.device is None else node.backend


def _by_its_tensors(node: Node, cpu: int, op_offload: bool) -> int | None:
    """The backend that a node's own buffer, or its weights, ask for."""
    root = node.root
    if root is not node and root.device is not None:
        return cpu if root.device < 0 else root.device
    if node.op in ("ROPE", "FLASH_ATTN_EXT"):
        # rope factors and attention sinks are too small to decide
        return None
    for source in node.src:
        if source.weight:
            device = t.cast(int, source.device)
            if device >= 0:
                return device
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
        if not new and inputs:
            # weights from elsewhere start a split of their own
            new = any(source.weight and _outside(source, backend, cpu) for source in node.src)
        if new:
            close()
            members, inputs = [], []
            backend = t.cast(int, node.backend)
        replaced = None
        for position, source in enumerate(node.src):
            if not _outside(source, backend, cpu):
                continue
            key = (id(source), backend)
            copy = copied.get(key)
            if copy is None:
                copy = copied[key] = _copy(source)
                inputs.append(source)
                if copies > 1:
                    copy.flags |= OUTPUT
                    split_leaves.append((copy, backend))
                    split_leaves.extend((_kept_copy(source), backend) for _ in range(copies - 1))
            if replaced is None:
                replaced = list(node.src)
            replaced[position] = copy
        if replaced is not None:
            node.src = tuple(replaced)
        members.append(node)
    close()
    first: list[tuple[Node, int]] = []
    if copies > 1:
        for leaf in leaves:
            if leaf.flags & INPUT:
                leaf.flags |= OUTPUT
                first.append((leaf, cpu))
                first.extend((_kept_copy(leaf), cpu) for _ in range(copies - 1))
    own = [(leaf, cpu if leaf.backend is None else leaf.backend) for leaf in leaves]
    return Schedule(first + split_leaves + own, order)


def _outside(source: Node, backend: int, cpu: int) -> bool:
    """Whether `source` lies where `backend` cannot read it."""
    device = source.root.device
    if device is not None:
        return (cpu if device < 0 else device) != backend
    return source.backend != backend


def _copy(source: Node) -> Node:
    node = Node("COPY", source.ne, source.size, (), None, source.layout, source.type)
    node.gpu_size = source.gpu_size
    return node


def _kept_copy(source: Node) -> Node:
    """A copy that lives as long as the graph, so that the next batch can be prepared meanwhile."""
    copy = _copy(source)
    copy.flags = OUTPUT
    return copy
