# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import posixpath
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call, inference_host

DOOR = "llama_server_preflight"
COLLECTION = "prositronic.infra"


class ActionModule(ActionBase):
    """Ask the host what the engine says and what is free, compare on the controller."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, given = self.validate_argument_spec(
            {
                "plan": {"type": "dict", "required": True},
                "model": {"type": "str", "required": True},
                "name": {"type": "str"},
                "program": {"type": "str", "default": "/usr/bin/llama-server"},
                "host": {"type": "dict"},
                "options": {"type": "dict", "default": {}},
                "environment": {"type": "dict", "default": {}},
                "version": {"type": "str"},
                "help": {"type": "str"},
                "state_folder": {"type": "path", "default": "/var/lib/prositronic"},
            }
        )
        host = given["host"] or inference_host(variables["hostvars"][variables["inventory_hostname"]])
        planned = {"plan": given["plan"], "host": host}
        asked = {key: given[key] for key in ("model", "options", "version", "help")}
        question = call(answers.preflight_question, {**planned, **asked}, DOOR, AnsibleActionFail)

        def ask(module: str, **arguments: t.Any) -> dict[str, t.Any]:
            answer = self._execute_module(f"{COLLECTION}.{module}", module_args=arguments, task_vars=variables)
            return t.cast("dict[str, t.Any]", answer)

        header = ask("gguf_info", path=given["model"])
        if header.get("failed") and self._task.check_mode:
            # It is not there yet
            return result | {"changed": False, "checked": False, "problems": [], "table": []}
        told = ask(
            "llama_fit_params",
            program=posixpath.join(posixpath.dirname(given["program"]), "llama-fit-params"),
            options=question["options"],
            environment={**given["environment"], **question["environment"]},
        )
        gathered = ask("gpu_facts", state_folder=given["state_folder"])
        for answer in (header, told, gathered):
            if answer.get("failed"):
                raise AnsibleActionFail(f"{DOOR}: {answer.get('msg')}. Nothing was changed.", result=answer)
        seen = {
            "now": gathered["ansible_facts"]["inference_host"],
            "name": given["name"],
            "gguf": header["gguf"],
            "told": told.get("devices"),
        }
        verdict = call(answers.preflight, {**planned, **seen}, DOOR, AnsibleActionFail)
        result |= {"changed": False, "checked": told["found"], **verdict}
        if verdict["problems"]:
            text = "; ".join(verdict["problems"])
            raise AnsibleActionFail(
                "\n".join([f"{DOOR}: {text}. Nothing was changed.", *verdict["table"]]), result=result
            )
        return result
