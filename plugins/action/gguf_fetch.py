# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.prositronic.infra.plugins.plugin_utils.render.progress import line

MODULE = "prositronic.infra.gguf_fetch"
# The first word comes soon, and a long download does not fill the screen
FIRST_LOOK_SECONDS = 2
LOOK_SECONDS = 10


class ActionModule(ActionBase):
    """Ask the module again and again until the model has arrived, and show in between how far it is."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        wait = int(arguments.pop("wait", 604800))
        deadline = time.monotonic() + wait
        host = (task_vars or {}).get("inventory_hostname", "")
        start = arguments.pop("start", True)
        look = FIRST_LOOK_SECONDS
        while True:
            left = max(0, int(deadline - time.monotonic()))
            given = {**arguments, "wait": min(look, left), "start": start}
            answer = self._execute_module(module_name=MODULE, module_args=given, task_vars=task_vars)
            if answer.get("failed") or not answer.get("progress") or left <= look:
                return result | answer
            look = min(2 * look, LOOK_SECONDS)
            self._display.display(f"{host}: {arguments.get('name')}: {line(answer['progress'])}")
            start = False  # what has failed meanwhile is to be told, not tried again
