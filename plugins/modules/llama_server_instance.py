#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_server_instance
short_description: Put a llama-server into service, or take it out
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Brings a systemd unit of C(llama-server) into service without losing the one that serves now.
  - First a trial of the new setting is started beside it. Then it takes its place, and has to become ready and to compute a
    few tokens. If it does not, the unit and the keys that served before come back, and the module fails with the last
    lines of the log.
  - Is used by the role P(prositronic.infra.llama_server#role), which writes the unit.
  - Goes on when the controller goes away. What was broken off in the middle, by a loss of power for instance, is brought to
    an end by the next run.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is tried, so that a setting that would be taken back is reported as a change.
  diff_mode:
    support: full
    details:
      - Shows the unit. Keys are never shown.
  idempotent:
    support: full
options:
  name:
    description: Name of the instance. Its unit is C(llama-server-NAME.service).
    type: str
    required: true
  state:
    description:
      - V(present) serves the setting that is given here.
      - V(absent) ends the instance and removes its unit, keys, cache and record.
    type: str
    choices: [present, absent]
    default: present
  unit:
    description: Text of the unit. Required if O(state=present).
    type: str
  form:
    description:
      - What O(unit) is. V(unit) is a unit of systemd, V(quadlet) a C(.container) file that podman makes one of the same name from.
    type: str
    choices: [unit, quadlet]
    default: unit
  trial_unit:
    description:
      - Text of a unit that tries the same setting while the present one serves.
      - It listens on the socket C(/run/llama-server-NAME-trial/socket.sock).
      - Without it there is no trial.
    type: str
  api_keys:
    description:
      - Keys of which each request needs one. The unit gets them as the credential C(api-keys), a key a line.
      - They lie in C(/etc/prositronic/llama-server), readable for root only.
    type: list
    elements: str
    default: []
  address:
    description: Address that the server listens on.
    type: str
    default: 127.0.0.1
  port:
    description: Port that the server listens on. Required if O(state=present).
    type: int
  prefix:
    description: Prefix of all paths, where the server has one.
    type: str
    default: ''
  tls:
    description: Whether the server speaks HTTPS. Its certificate is not checked, since this is the host itself.
    type: bool
    default: false
  question:
    description: What the server is asked to compute before it counts as serving.
    type: str
    choices: [completion, embedding, rerank]
    default: completion
  models:
    description: Names of the models that a router serves. Each has to be loaded and to compute.
    type: list
    elements: str
    default: []
  start_timeout:
    description: Seconds until the model has to be loaded.
    type: int
    default: 600
  record:
    description: What the next plan shall know of the instance. Required if O(state=present).
    type: dict
  state_folder:
    description: Where this collection keeps what it installed and measured on the host.
    type: path
    default: /var/lib/prositronic
seealso:
  - module: prositronic.infra.gpu_facts
"""

EXAMPLES = r"""
- name: Serve a model
  prositronic.infra.llama_server_instance:
    name: chat
    unit: "{{ lookup('ansible.builtin.template', 'chat.service.j2') }}"
    port: 8080
    record:
      plan_id: "{{ plan.plan_id }}"

- name: Take it out of service
  prositronic.infra.llama_server_instance:
    name: chat
    state: absent
"""

RETURN = r"""
unit:
  description: Name of the unit.
  returned: success
  type: str
  sample: llama-server-chat.service
url:
  description: Where the server listens, as seen from the host itself.
  returned: success and O(state=present)
  type: str
  sample: http://127.0.0.1:8080
outdated:
  description: Whether another setting than this one was there, or none, when the module was started.
  returned: success and O(state=present)
  type: bool
others:
  description: Names of the other instances on the host.
  returned: success
  type: list
  elements: str
serving:
  description: Whether what served before the module was started serves now.
  returned: failure
  type: bool
log:
  description: The last lines that the setting printed which failed.
  returned: failure
  type: list
  elements: str
"""

import signal
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils.instance.files import FORMS, InstanceFiles, Setting
from ansible_collections.prositronic.infra.plugins.module_utils.instance.probe import QUESTIONS, Address
from ansible_collections.prositronic.infra.plugins.module_utils.instance.switch import Instance, SwitchFailed, Wanted
from ansible_collections.prositronic.infra.plugins.module_utils.instance.systemd import Systemd, SystemdError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "unit": {"type": "str"},
            "form": {"type": "str", "choices": list(FORMS), "default": "unit"},
            "trial_unit": {"type": "str"},
            "api_keys": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int"},
            "prefix": {"type": "str", "default": ""},
            "tls": {"type": "bool", "default": False},
            "question": {"type": "str", "choices": list(QUESTIONS), "default": "completion"},
            "models": {"type": "list", "elements": "str", "default": []},
            "start_timeout": {"type": "int", "default": 600},
            "record": {"type": "dict"},
            "state_folder": {"type": "path", "default": "/var/lib/prositronic"},
        },
        required_if=[("state", "present", ("unit", "port", "record"))],
        supports_check_mode=True,
    )
    try:
        files = InstanceFiles(module.params["name"], module.params["state_folder"])
    except ValueError as refused:
        module.fail_json(msg=str(refused))
    try:
        instance = Instance(files, Systemd())
        result = (_present if module.params["state"] == "present" else _absent)(module, instance)
    except SystemdError as problem:
        module.fail_json(msg=str(problem))
    except SwitchFailed as failed:
        text = "\n".join([f"{files.unit_name}: {failed}.", *(f"    {line}" for line in failed.log)])
        module.fail_json(msg=text, log=failed.log, serving=failed.serving)
    module.exit_json(unit=files.unit_name, others=files.others(), **result)


def _present(module: AnsibleModule, instance: Instance) -> dict[str, t.Any]:
    wanted = _wanted(module)
    before = instance.files.installed()
    served = instance.is_served(wanted)
    changed = not (served and instance.is_recorded(wanted))
    if changed and not module.check_mode:
        _go_on_alone()
        if served:
            instance.files.write_record(wanted.record)
        else:
            instance.serve(wanted)
    return {
        "changed": changed,
        "outdated": changed,
        "url": wanted.address.url,
        "diff": _diff(instance.files, before, wanted.setting),
    }


def _absent(module: AnsibleModule, instance: Instance) -> dict[str, t.Any]:
    exists = instance.files.exists()
    before = instance.files.installed()
    if exists and not module.check_mode:
        _go_on_alone()
        instance.remove()
    return {"changed": exists, "diff": _diff(instance.files, before, None)}


def _wanted(module: AnsibleModule) -> Wanted:
    given = module.params
    keys = given["api_keys"]
    for key in keys:
        if not key.strip() or key != key.strip() or key.startswith("#") or "\n" in key:
            module.fail_json(msg="api_keys: a key is one line without space around it, and does not begin with #")
    return Wanted(
        setting=Setting(given["unit"], "".join(f"{key}\n" for key in keys) if keys else None, given["form"]),
        trial=given["trial_unit"],
        trial_address=Address(f"/run/llama-server-{given['name']}-trial/socket.sock", 0, given["prefix"]),
        address=Address(given["address"], given["port"], given["prefix"], given["tls"]),
        question=given["question"],
        models=given["models"],
        key=keys[0] if keys else None,
        start_seconds=float(given["start_timeout"]),
        record=given["record"],
    )


def _diff(files: InstanceFiles, before: Setting | None, after: Setting | None) -> list[dict[str, str]]:
    shown = []
    for form, path in files.units.items():
        texts = [setting.unit if setting and setting.form == form else "" for setting in (before, after)]
        if texts != ["", ""]:
            shown.append({"before_header": path, "after_header": path, "before": texts[0], "after": texts[1]})
    if (before and before.api_keys) != (after and after.api_keys):
        # That they differ is no secret
        shown.append({"before": "", "after": "", "prepared": "api_keys: changed\n"})
    return shown


def _go_on_alone() -> None:
    """Do not end in the middle because the connection to the controller has."""
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
