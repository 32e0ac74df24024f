# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call
from ansible_collections.prositronic.infra.plugins.plugin_utils.measurement import report

DOCUMENTATION = r"""
name: benchmark_report
version_added: 1.0.0
short_description: Benchmarks of hosts and days side by side
description:
  - Makes a table and a picture of planned against measured figures, and the text that is kept for the next report.
options:
  _input:
    description:
      - Benchmarks, each with C(host), C(name), C(placement), and C(run), C(figures) and C(advice) of
        P(prositronic.infra.measured_run#filter).
    type: list
    elements: dict
    required: true
  earlier:
    description: What was kept of earlier reports.
    type: str
    default: ''
requirements:
  - pydantic >= 2.8 on the controller
author:
  - the prositronic.infra contributors (@prositronic)
seealso:
  - plugin: prositronic.infra.measured_run
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the benchmarks
  ansible.builtin.debug:
    msg: "{{ (benchmarks | prositronic.infra.benchmark_report).table }}"
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    results:
      description: All benchmarks as JSON, to be given as O(earlier) the next time.
      type: str
    table:
      description: A line for each figure. One outside of its band begins with an exclamation mark.
      type: list
      elements: str
    picture:
      description: An SVG with the band of each figure and what was measured.
      type: str
"""


def benchmark_report(entries: t.Any, **named: t.Any) -> dict[str, t.Any]:
    answer = call(report.report, {"new": entries, **named}, "benchmark_report", AnsibleFilterError)
    return t.cast("dict[str, t.Any]", answer)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"benchmark_report": benchmark_report}
