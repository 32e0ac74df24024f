# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call, inference_host, old_facts


class ActionModule(ActionBase):
    """Plan one model, or several at once, for one host: computed here, nothing is sent to the host."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        name = variables["inventory_hostname"]
        arguments = dict(self._task.args)
        if arguments.get("host") is None:
            arguments["host"] = inference_host(variables["hostvars"][name])
        answer = call(answers.model_fit, arguments, "model_fit", AnsibleActionFail)
        told = {"changed": False, "warnings": old_facts({name: arguments["host"]})}
        return result | told | (answer if arguments.get("models") else {"plan": answer})
