# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call, inference_hosts


class ActionModule(ActionBase):
    """Write a site of plans: planned, drawn and written on the controller."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = {name: value for name, value in self._task.args.items() if value is not None}
        fleet = arguments.get("fleet")
        if isinstance(fleet, Mapping):
            hostvars = variables["hostvars"]
            groups = [group for group in (fleet.get("hosts"), fleet.get("missing")) if isinstance(group, Collection)]
            names = [name for group in groups for name in group if isinstance(name, str) and name in hostvars]
            arguments["hosts"] = inference_hosts(hostvars, names)
        arguments["check"] = self._task.check_mode
        site = call(answers.report_site, arguments, "report_site", AnsibleActionFail)
        return t.cast("dict[str, t.Any]", result | site)
