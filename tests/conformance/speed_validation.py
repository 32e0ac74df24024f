# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fitting the calibration, and judging the rules on GPUs that were kept from the fit.

Leave one GPU out: the figures are fitted to all other GPUs' measurements, the band is made wide enough for those, and the
measurements on the GPU left out are predicted with it. What is told of the rules is told of these predictions only.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import typing as t
from collections.abc import Sequence

from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.calibration import CALIBRATED, Calibration
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.rates import Range
from ansible_collections.prositronic.infra.tests.conformance.speed_measurements import (
    Measurement,
    measurements,
    predict,
    predictable,
)


class Task(t.NamedTuple):
    """What is fitted on which group of measurements: the figures, the one that widens the band, and the least of it."""

    group: tuple[str, str]
    figures: tuple[str, ...]
    spread: str
    least: float


DECODE = Task(
    ("full", "decode"),
    (
        "read_share",
        "stacked_read_share",
        "cache_share",
        "unpack_bytes",
        "graph_launch",
        "slow_clock",
        "stream_launch",
        "hip_launch",
    ),
    "spread",
    1.1,
)
PREFILL = Task(("full", "prefill"), ("flops_share", "expert_tile"), "batch_spread", 1.2)

# What physics and data sheets suggest before anything is measured: where every fit begins, so that no figure of the
# published calibration, which has seen all measurements, leaks into the judgement of one that was left out.
PRIOR = dataclasses.replace(
    CALIBRATED,
    read_share=0.9,
    stacked_read_share=0.7,
    cache_share=0.7,
    unpack_bytes=0.1,
    graph_launch=1.5e-6,
    slow_clock=1.4,
    stream_launch=5e-6,
    hip_launch=5e-6,
    flops_share=0.4,
    expert_tile=16.0,
)

# How strongly a figure that few measurements speak of stays where physics puts it.
_PULL = 0.05
# Of the measurements fitted on, so many shall be inside the band.
_INSIDE = 0.97
# No memory is read faster than this share of its data sheet.
_LARGEST = {"read_share": 0.97, "stacked_read_share": 0.97, "cache_share": 0.97}


class Verdict(t.NamedTuple):
    """One measurement and its prediction."""

    measurement: Measurement
    prediction: Range

    @property
    def error(self) -> float:
        """How far the expected rate is from the measured one, as a share of it."""
        return self.prediction.expected / self.measurement.rate - 1

    @property
    def inside(self) -> bool:
        return self.prediction.slow <= self.measurement.rate <= self.prediction.fast


def tuned_on(task: Task) -> list[Measurement]:
    """Return the measurements that a task is fitted on."""
    return [each for each in measurements(task.group) if each.counted and not each.row.get("never_tuned")]


def fitted(task: Task, rows: Sequence[Measurement], start: Calibration = PRIOR) -> Calibration:
    """Return the calibration with the figures of a task fitted to rows: least mean of absolute logarithmic errors.

    Each GPU counts alike, however many measurements it has. A figure is moved as long as that helps, in shrinking steps.
    """
    per_gpu: dict[str, int] = {}
    for row in rows:
        per_gpu[row.gpus[0]] = per_gpu.get(row.gpus[0], 0) + 1

    def cost(candidate: Calibration) -> float:
        errors = sum(abs(math.log(predict(row, candidate).expected / row.rate)) / per_gpu[row.gpus[0]] for row in rows)
        pull = sum(math.log(getattr(candidate, name) / getattr(start, name)) ** 2 for name in task.figures)
        return errors / len(per_gpu) + _PULL * pull

    best, best_cost = start, cost(start)
    step = 1.2
    while step > 1.02:
        improved = False
        for name in task.figures:
            for factor in (step, 1 / step):
                value = min(getattr(best, name) * factor, _LARGEST.get(name, math.inf))
                candidate = dataclasses.replace(best, **{name: value})
                candidate_cost = cost(candidate)
                if candidate_cost < best_cost - 1e-9:
                    best, best_cost, improved = candidate, candidate_cost, True
        if not improved:
            step = math.sqrt(step)
    return _widened(task, rows, best)


def _widened(task: Task, rows: Sequence[Measurement], calibration: Calibration) -> Calibration:
    """Return the calibration with the narrowest band that holds enough of the rows."""
    spread = task.least
    while True:
        candidate = dataclasses.replace(calibration, **{task.spread: round(spread, 3)})
        inside = sum(Verdict(row, predict(row, candidate)).inside for row in rows)
        if inside >= _INSIDE * len(rows) or spread > 4:
            return candidate
        spread *= 1.01


def left_out(task: Task) -> list[Verdict]:
    """Return the verdicts of leaving each GPU out in turn."""
    rows = tuned_on(task)
    verdicts = []
    for name in sorted({gpu for row in rows for gpu in row.gpus}):
        others = [row for row in rows if name not in row.gpus]
        calibration = fitted(task, others)
        verdicts += [Verdict(row, predict(row, calibration)) for row in rows if row.gpus[0] == name]
    return verdicts


def judged(rows: Sequence[Measurement], calibration: Calibration = CALIBRATED) -> list[Verdict]:
    """Return the verdicts of the published calibration on rows that name enough to be predicted."""
    return [Verdict(row, predict(row, calibration)) for row in rows if predictable(row)]


def median_error(verdicts: Sequence[Verdict]) -> float:
    return statistics.median(abs(verdict.error) for verdict in verdicts)


def share_inside(verdicts: Sequence[Verdict]) -> float:
    return sum(verdict.inside for verdict in verdicts) / len(verdicts)
