# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far off the speed rules are, on GPUs that were kept from fitting them.

benchmarks/speed_accuracy.py            medians and bands by group
benchmarks/speed_accuracy.py --rows     every measurement too, those that do not count with the reason
benchmarks/speed_accuracy.py --fit      the figures that all counted measurements give (published: calibration.py)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import as_collection  # noqa: F401
from ansible_collections.prositronic.infra.tests.conformance.speed_measurements import (
    Measurement,
    measurements,
    predictable,
)
from ansible_collections.prositronic.infra.tests.conformance.speed_validation import (
    DECODE,
    PREFILL,
    Verdict,
    fitted,
    judged,
    left_out,
    median_error,
    share_inside,
    tuned_on,
)

GROUPS = [(where, kind) for where in ("full", "partial", "cpu") for kind in ("decode", "prefill")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", action="store_true", help="print every measurement")
    parser.add_argument("--fit", action="store_true", help="print the figures fitted to all counted measurements")
    wanted = parser.parse_args()
    if wanted.fit:
        for task in (DECODE, PREFILL):
            calibration = fitted(task, tuned_on(task))
            for name in (*task.figures, task.spread):
                print(f"{name} = {getattr(calibration, name):.3g}")
        return
    print("Each GPU left out of the fit in turn")
    for task in (DECODE, PREFILL):
        tell(f"full offload, {task.group[1]}", left_out(task), wanted.rows)
    print("\nRules as published, on what they were not fitted to")
    for where, kind in GROUPS:
        rows = [
            row
            for row in measurements((where, kind))
            if row.counted and (where != "full" or row.row.get("never_tuned"))
        ]
        tell(f"{where}, {kind}", judged(rows), wanted.rows)
    print("\nNot counted: forks, builds of 2024, hardware or launches that the source does not name")
    for where, kind in GROUPS:
        rows = [row for row in measurements((where, kind)) if not row.counted]
        tell(f"{where}, {kind}", judged(rows), wanted.rows)
        unknown = [row for row in rows if not predictable(row)]
        if unknown:
            print(f"    {len(unknown)} more name no model or no GPU that could be asked about")
            if wanted.rows:
                for row in unknown:
                    print(f"      {row.id:<16} {row.rate:>9.1f} measured; {reason(row)}")


def reason(row: Measurement) -> str:
    return "; ".join(row.row.get("not_counted", []))


def tell(title: str, verdicts: Sequence[Verdict], every: bool) -> None:
    if not verdicts:
        print(f"  {title:<24}   0 measurements")
        return
    print(
        f"  {title:<24} {len(verdicts):>3} measurements, median error {median_error(verdicts):>6.1%},"
        f" {share_inside(verdicts):>5.0%} inside the band"
    )
    if every:
        for verdict in sorted(verdicts, key=lambda each: each.error):
            slow, expected, fast = verdict.prediction
            row = verdict.measurement
            print(
                f"    {'' if verdict.inside else '!':1} {row.id:<16} {row.rate:>9.1f} measured, {expected:>9.1f}"
                f" ({slow:.1f} to {fast:.1f}) told, {verdict.error:>+7.0%}  {row.row['as_printed'][:90]}"
                + (f"  [{reason(row)}]" if reason(row) else "")
            )


if __name__ == "__main__":
    main()
