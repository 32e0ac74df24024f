# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes how every task ended on every host, a line of JSON each, to the file named by LAB_EVENTS."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lab_events
type: notification
short_description: Writes results of tasks as lines of JSON
description: Writes how every task ended on every host, and the recap, to the file that the environment variable LAB_EVENTS names.
"""


class CallbackModule(CallbackBase):
    """Read by tests/lab/plays.py."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "lab_events"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, event: dict[str, Any]) -> None:
        with open(os.environ["LAB_EVENTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def _record(self, outcome: Any, status: str) -> None:
        # _dump_results honours no_log and turns Ansible's own types into plain ones
        said = outcome.result if hasattr(outcome, "result") else outcome._result
        result = json.loads(self._dump_results(said))
        if "diff" in said:  # which is taken out unless ansible-playbook is told to be verbose
            result["diff"] = json.loads(self._dump_results({"parts": said["diff"]}))["parts"]
        host = outcome.host if hasattr(outcome, "host") else outcome._host
        task = outcome.task if hasattr(outcome, "task") else outcome._task
        self._write(
            {
                "task": task.get_name(),
                "host": host.get_name(),
                "status": status,
                # Not from `result`: the callback for the screen has taken it out of what debug says
                "changed": bool(outcome.is_changed()),
                "result": result,
            }
        )

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record(result, "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._record(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._record(result, "unreachable")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        names = ("ok", "changed", "failures", "skipped", "rescued", "ignored")
        recap = {}
        for host in sorted(stats.processed):
            recap[host] = {name: getattr(stats, name).get(host, 0) for name in names}
            recap[host]["unreachable"] = stats.dark.get(host, 0)
        self._write({"stats": recap})
