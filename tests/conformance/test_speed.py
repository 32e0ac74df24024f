# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The speed rules on GPUs that they were not fitted to, and on hosts."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.calibration import CALIBRATED
from ansible_collections.prositronic.infra.tests.conformance.speed_measurements import (
    measurements,
    predict,
    predictable,
)
from ansible_collections.prositronic.infra.tests.conformance.speed_validation import (
    DECODE,
    PREFILL,
    fitted,
    judged,
    left_out,
    median_error,
    share_inside,
    tuned_on,
)


@pytest.fixture(scope="module")
def decode():
    return left_out(DECODE)


def test_decode_on_a_gpu_left_out_of_the_fit(decode):
    assert len(decode) >= 45
    assert len({verdict.measurement.gpus[0] for verdict in decode}) >= 14
    assert median_error(decode) <= 0.15
    assert share_inside(decode) >= 0.9


def test_decode_as_people_logged_it(decode):
    """Without the measurements that llama.cpp's own developers published, which are more regular."""
    logged = [verdict for verdict in decode if verdict.measurement.id.startswith("sp-")]
    assert len(logged) >= 15
    assert median_error(logged) <= 0.15
    assert share_inside(logged) >= 0.9


def test_decode_of_measurements_never_fitted_to():
    kept = [row for row in measurements(DECODE.group) if row.row.get("never_tuned") and row.counted]
    verdicts = judged(kept)
    assert len(verdicts) >= 4
    assert median_error(verdicts) <= 0.15
    assert all(verdict.inside for verdict in verdicts)


def test_prefill_on_a_gpu_left_out_of_the_fit():
    verdicts = left_out(PREFILL)
    assert len(verdicts) >= 15
    assert median_error(verdicts) <= 0.3
    assert share_inside(verdicts) >= 0.8


@pytest.mark.parametrize(("group", "error"), [(("partial", "decode"), 0.2), (("partial", "prefill"), 0.4)])
def test_partial_offload_which_nothing_was_fitted_to(group, error):
    verdicts = judged([row for row in measurements(group) if row.counted])
    assert len(verdicts) >= 10
    assert median_error(verdicts) <= error
    assert share_inside(verdicts) >= 0.9


def test_two_sockets_with_a_large_model_of_experts():
    (decode,) = judged([row for row in measurements(("cpu", "decode")) if row.counted])
    assert abs(decode.error) <= 0.25
    assert decode.inside


@pytest.mark.parametrize("task", [DECODE, PREFILL], ids=lambda task: task.group[1])
def test_the_published_figures_are_those_of_the_fit(task):
    found = fitted(task, tuned_on(task))
    for name in (*task.figures, task.spread):
        assert getattr(CALIBRATED, name) == pytest.approx(getattr(found, name), rel=0.05), name


def test_every_measurement_can_be_told_or_says_why_not():
    for row in measurements():
        assert row.rate > 0 and row.row["source"] and row.row["as_printed"]
        assert row.counted is False or predictable(row), row.id
        if predictable(row):
            slow, expected, fast = predict(row)
            assert 0 < slow < expected < fast, row.id


def test_a_wider_spread_is_a_wider_band():
    row = tuned_on(DECODE)[0]
    narrow, wide = (predict(row, dataclasses.replace(CALIBRATED, spread=spread)) for spread in (1.1, 1.5))
    assert wide.slow < narrow.slow < narrow.expected == wide.expected < narrow.fast < wide.fast
