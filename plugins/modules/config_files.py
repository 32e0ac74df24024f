#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Change some configuration files together, with a way back
version_added: 1.0.0
author:
  - Prositronic (@prositronic)
description:
  - Writes several files so that either all of them change or none, after a program has looked at what each would become.
  - With O(journal), the files as they were are kept until O(state=applied) has seen the service start with the new ones.
    If it does not start, it gets the old ones back. A run that dies in between leaves the journal, which the next run
    finds.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
attributes:
  check_mode:
    support: full
    details:
      - What the files would become is checked by their programs, too.
  diff_mode:
    support: full
    details:
      - Of a file that only its owner may read, no content is shown.
  idempotent:
    support: full
options:
  state:
    description:
      - V(written) makes the files as O(files) says.
      - V(applied) restarts O(unit) and ends the journal. When the unit does not start, the files are restored, it is
        started with them, and the module fails. A unit that does not run is not started. There is no daemon-reload.
      - V(restored) makes the files as the journal says they were, and ends it.
    type: str
    choices: [written, applied, restored]
    default: written
  files:
    description: The files, for O(state=written).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. Missing folders are made. A symbolic link is followed.
        type: path
        required: true
      content:
        description: The whole text. A file without it is removed.
        type: str
      mode:
        description: Permissions of a file that is new, an octal number as text. One that exists keeps its own.
        type: str
        default: "0644"
      check:
        description:
          - Command that ends with 0 when the content is good. C({file}) in it stands for a copy of the new content.
          - Not run where the program is not installed.
        type: list
        elements: str
        default: []
  user:
    description: Touch the files with the rights of this user, for files below the user's home.
    type: str
  journal:
    description: Folder of the journal. One journal belongs to one service.
    type: path
  unit:
    description: The systemd unit that reads the files, for O(state=applied). With O(user), that user's.
    type: str
"""

EXAMPLES = r"""
- name: Change two files of one service
  prositronic.infra.config_files:
    journal: /var/lib/prositronic/nvidia_container_toolkit/containerd
    files:
      - path: /etc/containerd/config.toml
        content: "{{ main }}"
        check: [containerd, --config, "{file}", config, dump]
      - path: /etc/containerd/conf.d/99-nvidia.toml
        content: "{{ drop_in }}"
        mode: "0600"
  register: written

- name: Use them, or go back
  prositronic.infra.config_files:
    state: applied
    unit: containerd.service
    journal: /var/lib/prositronic/nvidia_container_toolkit/containerd
  when: written is changed
"""

RETURN = r"""
paths:
  description: Files that were, or in check mode would be, changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/docker/daemon.json]
"""

import contextlib
import shutil
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils.container_host import file_set
from ansible_collections.prositronic.infra.plugins.module_utils.container_host.file_set import (
    Change,
    File,
    FileSetError,
    Journal,
)
from ansible_collections.prositronic.infra.plugins.module_utils.container_host.services import Service, is_wanted
from ansible_collections.prositronic.infra.plugins.module_utils.host_files import Files

FILE_SPEC = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "check": {"type": "list", "elements": "str", "default": []},
}


def wanted(given: t.Mapping[str, t.Any]) -> list[File]:
    """Return the files of the arguments."""
    files = []
    for each in given["files"]:
        if not each["path"].startswith("/"):
            raise FileSetError(f"files: {each['path']!r} is not an absolute path")
        try:
            mode = int(each["mode"], 8)
        except ValueError:
            raise FileSetError(f"files: mode {each['mode']!r} of {each['path']} is not octal, as '0644' is") from None
        content = None if each["content"] is None else each["content"].encode()
        files.append(File(each["path"], content, mode, tuple(each["check"])))
    return files


def shown(change: Change) -> dict[str, str]:
    """Return one file's entry of the diff."""
    path = change.file.path

    def text(content: bytes | None) -> str:
        if content is None:
            return ""
        if change.private:
            return f"({len(content)} bytes, not shown: only the owner of {path} may read it)\n"
        return content.decode(errors="replace")

    return {
        "before_header": path,
        "after_header": path,
        "before": text(change.before),
        "after": text(change.file.content),
    }


@contextlib.contextmanager
def scratch() -> t.Iterator[str]:
    """A folder of the user whose rights are in use, gone after the block."""
    folder = tempfile.mkdtemp(prefix="config-files-", dir="/tmp")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(module: AnsibleModule) -> list[Change]:
    """Do what the arguments say; returns what changed."""
    given = module.params
    journal = Journal(given["journal"])
    files = wanted(given) if given["state"] == "written" else journal.files()
    with file_set.rights_of(given["user"]):
        found = file_set.changes(files)
        with scratch() as folder:
            file_set.check(found, folder)
    if found and not module.check_mode:
        if given["state"] == "written":
            journal.note(found)
        with file_set.rights_of(given["user"]):
            file_set.write(found)
    if given["state"] == "restored" and not module.check_mode:
        journal.end()
    return found


def apply(module: AnsibleModule) -> bool:
    """Restart the unit with the new files or else the old ones; returns whether it was restarted."""
    given = module.params
    journal = Journal(given["journal"])
    service = Service(Files(), given["unit"], given["user"])
    is_running = is_wanted(service.state())
    if module.check_mode:
        return is_running
    problem = service.restart() if is_running else None
    if problem is None:
        journal.end()
        return is_running
    if not journal.previous:
        raise FileSetError(f"{given['unit']} does not start: {problem}")
    with file_set.rights_of(given["user"]):
        file_set.write(file_set.changes(journal.files()))
    journal.end()
    again = service.restart()
    outcome = "runs with the old one, which was put back" if again is None else "not with the old one either"
    raise FileSetError(f"{given['unit']} did not start with its new configuration and {outcome}: {problem}")


class Module(AnsibleModule):
    """Notes nothing of its arguments in the host's journal: files may hold passwords."""

    def _log_invocation(self) -> None:
        pass


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            "state": {"type": "str", "choices": ["written", "applied", "restored"], "default": "written"},
            "files": {"type": "list", "elements": "dict", "default": [], "options": FILE_SPEC},
            "user": {"type": "str"},
            "journal": {"type": "path"},
            "unit": {"type": "str"},
        },
        required_if=[("state", "applied", ["journal", "unit"]), ("state", "restored", ["journal"])],
        supports_check_mode=True,
    )
    problem, found, changed = None, [], False
    try:
        if module.params["state"] == "applied":
            changed = apply(module)
        else:
            found = run(module)
    except FileSetError as error:
        problem = str(error)
    for each in module.params["files"]:  # the arguments come back with the result and may hold passwords
        if each["content"] is not None:
            each["content"] = f"({len(each['content'])} characters)"
    if problem:
        module.fail_json(msg=problem)
    module.exit_json(
        changed=changed or bool(found),
        paths=[change.file.path for change in found],
        diff=[shown(change) for change in found],
    )


if __name__ == "__main__":
    main()
