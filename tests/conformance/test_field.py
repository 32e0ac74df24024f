# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads measured on real GPUs, of which half were not looked at when the file's types were found."""

from __future__ import annotations

import statistics

import pytest
from ansible_collections.prositronic.infra.tests.conformance import field_others
from ansible_collections.prositronic.infra.tests.conformance.field_rows import NEAR, all_rows, error, errors


@pytest.mark.parametrize(("part", "share"), [("weights", 0.9), ("KV cache and state", 1.0)])
def test_weights_and_caches(part, share):
    found = errors(part, held_back=True)
    assert sum(abs(one) <= 0.01 for one in found) >= share * len(found)


@pytest.mark.parametrize("part", ["all buffers", "as nvidia-smi shows it", "compute buffer, other GPUs"])
def test_what_a_gpu_holds_at_the_median(part, capsys):
    found = errors(part, held_back=True)
    far = sorted(
        f"{row.data['id']} GPU{index} {error(use.total):+.0%}"
        for row in all_rows()
        if row.held_back
        for index, use in enumerate(row.uses)
        if abs(error(use.total)) > 0.03
    )
    with capsys.disabled():
        print(f"\n{part}: {len(found)} figures, median error {statistics.median(map(abs, found)):.2%}; ", end="")
        print(f"all buffers farther than 3 %: {len(far)} GPUs ({', '.join(far[:4])}, …)", end="")
    assert statistics.median(map(abs, found)) <= 0.03


@pytest.mark.parametrize("load", field_others.all_loads(), ids=lambda load: load.id)
def test_weights_and_caches_of_other_machines(load):
    for use in load.uses:
        assert use.weights[0] == pytest.approx(use.weights[1], rel=0.01)
        assert use.kv[0] == pytest.approx(use.kv[1], rel=0.01)


def test_all_buffers_of_other_machines():
    errors_by_id = {load.id: load.error for load in field_others.all_loads()}
    assert statistics.median(map(abs, errors_by_id.values())) <= NEAR
    assert {name for name, off in errors_by_id.items() if abs(off) > NEAR} == set(field_others.FARTHER)
    # what is said may be too much, not far too little
    assert min(errors_by_id.values()) > -NEAR
