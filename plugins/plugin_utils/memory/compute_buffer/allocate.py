# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The size of each backend's compute buffer: `ggml_gallocr_reserve`.

Tensors are placed in the order of the graph, each into the smallest free block that holds it, in an operand's place
where that is allowed, and given back after their last use. Source: `ggml/src/ggml-alloc.c` of ggml 0.27.
"""

from __future__ import annotations

import typing as t

from .graph import INPLACE_OPS, OUTPUT, Node
from .schedule import Schedule

ENDLESS = 1 << 62


class Arena:
    """One backend's buffer: free blocks by address, the last one endless."""

    __slots__ = ("alignment", "free", "size")

    def __init__(self, alignment: int) -> None:
        self.alignment = alignment
        self.free: list[list[int]] = [[0, ENDLESS]]
        self.size = 0

    def take(self, size: int) -> int:
        """Return the address of `size` bytes (a multiple of the alignment): best fit, the last block only if it must."""
        free = self.free
        best = len(free) - 1
        if best:
            smallest = ENDLESS
            for index in range(best):
                length = free[index][1]
                if size <= length <= smallest:
                    smallest = length
                    found = index
            if smallest is not ENDLESS:
                best = found
        block = free[best]
        address = block[0]
        block[0] += size
        block[1] -= size
        if not block[1]:
            del free[best]
        if address + size > self.size:
            self.size = address + size
        return address

    def give(self, address: int, size: int) -> None:
        """Give bytes back, joined with the free blocks beside them.

        Like the original's the list is not always sorted: a free block of no bytes may lie within bytes that are used,
        and the search goes on behind it. How free memory is cut up from there on depends on it.
        """
        free = self.free
        for index, block in enumerate(free):
            if block[0] + block[1] == address:
                block[1] += size
                if index + 1 < len(free) and address + size == free[index + 1][0]:
                    block[1] += free[index + 1][1]
                    del free[index + 1]
                return
            if address + size == block[0]:
                block[0] = address
                block[1] += size
                return
        place = next(index for index, block in enumerate(free) if block[0] >= address)
        free.insert(place, [address, size])


def buffer_sizes(schedule: Schedule, alignments: t.Sequence[int]) -> list[int]:
    """Return the bytes that each backend's buffer needs. The last backend is the CPU."""
    arenas = [Arena(alignment) for alignment in alignments]
    cpu = len(arenas) - 1

    def size_on(node: Node, backend: int) -> int:
        alignment = alignments[backend]
        return ((node.size if backend == cpu else node.gpu_size) + alignment - 1) // alignment * alignment

    def place(node: Node, backend: int) -> None:
        if node.op in INPLACE_OPS:
            for parent in node.src:
                if (
                    parent.children == 1
                    and parent.held is not None
                    and not parent.views
                    and parent.layout == node.layout
                    and not parent.flags & OUTPUT
                ):
                    node.held, node.addr = parent.held, parent.addr
                    parent.held = None
                    return
        node.addr = arenas[backend].take(size_on(node, backend))
        node.held = backend

    def release(node: Node) -> None:
        backend = node.held
        if backend is None or node.flags & OUTPUT:
            return
        arenas[backend].give(node.addr, size_on(node, backend))
        node.held = None

    for leaf, backend in schedule.leaves:
        # with pipeline parallelism the inputs come twice
        if leaf.held is None:
            place(leaf, backend)
    for node, _backend in schedule.nodes:
        if node.op == "DEP":
            node.src[0].children += 1
            continue
        if node.root is not None:
            node.root.views += 1
        for source in node.src:
            source.children += 1
    for node, backend in schedule.nodes:
        # views and what lies in other buffers need no room
        if node.root is None and node.held is None:
            place(node, backend)
        for source in node.src:
            source.children -= 1
            if source.children or source.views:
                continue
            root = source.root
            if root is None:
                release(source)
                continue
            root.views -= 1
            if not root.views and not root.children:
                release(root)
    return [arena.size for arena in arenas]
