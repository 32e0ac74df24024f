# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call


class ActionModule(ActionBase):
    """Write the values of many combinations: planned and written on the controller."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = {name: value for name, value in self._task.args.items() if value is not None}
        arguments["check"] = self._task.check_mode
        tree = call(answers.helmfile_values_tree, arguments, "helmfile_values_tree", AnsibleActionFail)
        return t.cast("dict[str, t.Any]", result | tree)
