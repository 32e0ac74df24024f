# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine against measured loads: every byte of weights and caches, and the compute buffers within stated bounds."""

from __future__ import annotations

import collections

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.refusals import LaunchRefused
from ansible_collections.prositronic.infra.tests.conformance.memory_rows import (
    FILES,
    OUT_OF_REACH,
    Row,
    all_rows,
    cells,
    said,
)

BY_MODEL: dict[str, list[Row]] = collections.defaultdict(list)
for _row in all_rows():
    if not _row.out_of_reach and _row.in_sample:
        BY_MODEL[_row.model].append(_row)


def test_what_is_left_out_is_named_and_little():
    """Launches out of reach. The rows that are not in the sample are run by report.py and tools/write_accuracy.py."""
    left_out = [row for row in all_rows() if row.out_of_reach]
    assert len(left_out) * 100 <= 3 * len(all_rows())
    assert {key for row in left_out for key in row.launch} & set(OUT_OF_REACH)


@pytest.mark.parametrize("model", sorted(BY_MODEL))
def test_loads(model):
    wrong = []
    for row in BY_MODEL[model]:
        if row.data.get("rejected"):
            with pytest.raises(LaunchRefused):
                row.estimate()
            continue
        answer = row.estimate()
        data = row.data
        assert (answer.n_ctx, answer.n_ctx_seq, answer.n_ubatch) == (data["n_ctx"], data["n_ctx_seq"], data["n_ubatch"])
        for measured, own in zip(row.measured(), said(answer), strict=True):
            if measured[:2] != own[:2]:
                wrong.append(f"{row.name}: weights, KV {own[:2]} instead of {measured[:2]}")
        wrong += [
            f"{row.name}: compute {cell.said} instead of {cell.measured}" for cell in cells(row) if cell.far_too_low
        ]
    assert not wrong, "\n".join(wrong[:5])


def test_compute_buffers(capsys):
    """Near the truth nearly everywhere; the figures are printed."""
    share = {}
    for file in FILES:
        found = [
            cell
            for rows in BY_MODEL.values()
            for row in rows
            if row.file == file and not row.data.get("rejected")
            for cell in cells(row)
        ]
        share[file] = sum(cell.near for cell in found) / len(found)
        exact = sum(not cell.error for cell in found)
        worst = max(found, key=lambda cell: abs(cell.error))
        left = sum(row.file == file and not row.in_sample for row in all_rows())
        with capsys.disabled():
            print(
                f"\n{file}: {left} rows left to report.py; {len(found)} compute buffers, {exact} exact, {share[file]:.2%} within 1 MiB or 1 %,"
                f" farthest {worst.error / 2**20:+.1f} MiB ({worst.row.name})",
                end="",
            )
    assert share["memory"] >= 0.97
    assert min(share.values()) >= 0.9
