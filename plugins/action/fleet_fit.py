# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call, inference_hosts, old_facts


class ActionModule(ActionBase):
    """Plan several models for every host of the play in one pass: computed here, nothing is sent to any host."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, arguments = self.validate_argument_spec(
            {
                "models": {"type": "raw"},
                "together": {"type": "bool", "default": False},
                "hosts": {"type": "list", "elements": "str"},
                "show": {"type": "bool", "default": False},
            }
        )
        show = arguments.pop("show")
        names = arguments["hosts"] or variables["ansible_play_hosts_all"]
        hostvars = variables["hostvars"]
        unknown = [name for name in names if name not in hostvars]
        if unknown:
            raise AnsibleActionFail(f"fleet_fit: hosts: '{unknown[0]}' is not in the inventory; name hosts that are")
        arguments["hosts"] = inference_hosts(hostvars, names)
        fleet = call(answers.fleet_fit, arguments, "fleet_fit", AnsibleActionFail)
        if show:
            # As text of its own: in a task's result the lines would stand quoted and escaped.
            self._display.display("\n".join(["", *fleet["table"], ""]))
        return result | {"changed": False, "warnings": old_facts(arguments["hosts"])} | fleet
