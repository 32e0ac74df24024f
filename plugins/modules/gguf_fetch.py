#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gguf_fetch
short_description: Bring a GGUF model to the host
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Brings all files of a model from the Hugging Face hub, an HTTP server or a path, or quantises one that is on the host.
  - The work is done by a job of its own, a transient unit of systemd. It goes on when the controller goes away, and the next
    run finds it. A download that broke off goes on where it stopped.
  - Whether there is room on the disk is checked before the first byte. A model counts only when its files have the
    checksums that were given, or that the hub has, and when llama.cpp could load them.
  - Each request has a folder of its own, so that a model in use is never replaced. Nothing is removed unless asked for.
  - Shows the progress while it waits.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    description: Has an action plugin, which shows the progress on the controller.
    support: full
options:
  name:
    description: Name of the model, and of its folder below O(directory).
    type: str
    required: true
  state:
    description:
      - V(present) brings the model.
      - V(absent) removes all that was brought under this name. Is refused while an instance serves it.
    type: str
    choices: [present, absent]
    default: present
  directory:
    description: Where models lie.
    type: path
    default: /var/lib/prositronic/models
  hub:
    description: A repository of the Hugging Face hub.
    type: dict
    suboptions:
      repository:
        description: Its name, such as C(ggml-org/gemma-3-4b-it-GGUF).
        type: str
        required: true
      revision:
        description:
          - Branch, tag or commit.
          - A branch is looked up once, when the model is fetched. Name a commit or a tag to be sure, or to get another one.
        type: str
        default: main
      quant:
        description: Quant that the names of the files carry, such as V(Q4_K_M). Of a model in parts all are fetched.
        type: str
      files:
        description: The files by name, where the quant does not tell them from others.
        type: list
        elements: str
      endpoint:
        description: URL of a mirror of the hub.
        type: str
  files:
    description: Files of an HTTP server.
    type: list
    elements: dict
    suboptions:
      url:
        description: URL of the file. For C(NAME-00001-of-00003.gguf) list all parts.
        type: str
        required: true
      sha256:
        description: What the file must hash to.
        type: str
  path:
    description:
      - A file on the host, on a network's disk that is mounted there, or brought by another task. Of a model in parts any
        part.
    type: path
  path_method:
    description:
      - What is done with O(path). V(link) uses it where it is, V(copy) copies it, V(move) takes it away from there.
    type: str
    choices: [link, copy, move]
    default: link
  sha256:
    description: What the files of O(path) must hash to, by file name.
    type: dict
    default: {}
  quantize:
    description: Quantise a model that is on the host.
    type: dict
    suboptions:
      input:
        description: The model, in BF16, F16 or F32.
        type: path
        required: true
      type:
        description: Quant to make, such as V(Q4_K_M).
        type: str
        required: true
      imatrix:
        description: Importance matrix.
        type: path
      program:
        description: llama-quantize on the host.
        type: path
        default: /usr/bin/llama-quantize
  token:
    description: Token of the hub, or bearer token of the HTTP server.
    type: str
  python:
    description:
      - Python on the host that has C(huggingface_hub). Needed with O(hub) only.
    type: path
  reserve_bytes:
    description: What shall stay free on the disk.
    type: int
    default: 1073741824
  runner:
    description:
      - V(unit) does the work in a transient unit of systemd, V(process) in a process of its own, for hosts without systemd
        and users other than root.
    type: str
    choices: [unit, process]
    default: unit
  wait:
    description: Seconds to wait before the task returns although the model has not arrived. The job goes on.
    type: int
    default: 604800
  remove_others:
    description: Remove what other requests brought under the same name, unless an instance serves it.
    type: bool
    default: false
  start:
    description: Start the job if it does not run.
    type: bool
    default: true
  state_folder:
    description: Where this collection keeps what it installed on the host.
    type: path
    default: /var/lib/prositronic
seealso:
  - module: prositronic.infra.gguf_info
"""

EXAMPLES = r"""
- name: Fetch a model from a mirror
  prositronic.infra.gguf_fetch:
    name: qwen3-8b
    files:
      - url: https://mirror.example/qwen3-8b-Q4_K_M.gguf
        sha256: "{{ qwen3_sha256 }}"
  register: model

- name: Use a model on a network's disk where it is
  prositronic.infra.gguf_fetch:
    name: deepseek-v3.1
    path: /mnt/models/DeepSeek-V3.1-Q4_K_M-00001-of-00009.gguf
"""

RETURN = r"""
path:
  description: The file to load, of a model in parts the first.
  returned: success and O(state=present), when the model has arrived
  type: str
  sample: /var/lib/prositronic/models/qwen3-8b/0123456789ab/qwen3-8b-Q4_K_M.gguf
files:
  description: The files, with C(path) below their folder, C(size_bytes), C(sha256) and whether it was C(checked) against one
    that was given.
  returned: success and O(state=present), when the model has arrived
  type: list
  elements: dict
commit:
  description: Commit of the repository.
  returned: success, with O(hub)
  type: str
progress:
  description: What the job says while the model has not arrived.
  returned: success and O(state=present), when the model has not arrived
  type: dict
removed:
  description: Folders that were removed.
  returned: success
  type: list
  elements: str
"""

import os
import posixpath
import shutil
import time
import typing as t
import urllib.parse

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils import gguf
from ansible_collections.prositronic.infra.plugins.module_utils.fetch import shelf
from ansible_collections.prositronic.infra.plugins.module_utils.gguf_header import GGUFError

POLL_SECONDS = 0.25

HUB = {
    "repository": {"type": "str", "required": True},
    "revision": {"type": "str", "default": "main"},
    "quant": {"type": "str"},
    "files": {"type": "list", "elements": "str"},
    "endpoint": {"type": "str"},
}
QUANTIZE = {
    "input": {"type": "path", "required": True},
    "type": {"type": "str", "required": True},
    "imatrix": {"type": "path"},
    "program": {"type": "path", "default": "/usr/bin/llama-quantize"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "directory": {"type": "path", "default": "/var/lib/prositronic/models"},
            "hub": {"type": "dict", "options": HUB, "required_one_of": [("quant", "files")]},
            "files": {
                "type": "list",
                "elements": "dict",
                "options": {"url": {"type": "str", "required": True}, "sha256": {"type": "str"}},
            },
            "path": {"type": "path"},
            "path_method": {"type": "str", "choices": ["link", "copy", "move"], "default": "link"},
            "sha256": {"type": "dict", "default": {}},
            "quantize": {"type": "dict", "options": QUANTIZE},
            "token": {"type": "str", "no_log": True},
            "python": {"type": "path"},
            "reserve_bytes": {"type": "int", "default": 1 << 30},
            "runner": {"type": "str", "choices": ["unit", "process"], "default": "unit"},
            "wait": {"type": "int", "default": 604800},
            "remove_others": {"type": "bool", "default": False},
            "start": {"type": "bool", "default": True},
            "state_folder": {"type": "path", "default": "/var/lib/prositronic"},
        },
        mutually_exclusive=[("hub", "files", "path", "quantize")],
        required_if=[("state", "present", ("hub", "files", "path", "quantize"), True)],
        supports_check_mode=True,
    )
    if "/" in module.params["name"] or module.params["name"].startswith("."):
        module.fail_json(msg="name: give the name of a folder, without slashes, that does not begin with a dot")
    try:
        (_present if module.params["state"] == "present" else _absent)(module)
    except OSError as problem:
        module.fail_json(msg=f"{problem.filename or module.params['directory']}: {problem.strerror or problem}")


def _present(module: AnsibleModule) -> None:
    given = module.params
    place = shelf.Shelf(given["directory"], given["name"], _request(module))
    manifest = place.manifest()
    changed = manifest is None
    if manifest is None and module.check_mode:
        module.exit_json(changed=True, path=_expected_path(given, place), files=[], removed=[])
    if manifest is None:
        manifest = _fetch(module, place)
    removed = _remove_others(module, place) if given["remove_others"] else []
    path = os.path.realpath(os.path.join(place.final, shelf.model_file(manifest)))
    module.exit_json(
        changed=changed or bool(removed),
        path=path,
        files=manifest["files"],
        commit=manifest.get("commit"),
        removed=removed,
    )


def _fetch(module: AnsibleModule, place: shelf.Shelf) -> dict[str, t.Any]:
    """Return the manifest of the model once it has arrived; ends the module if that has not happened in time."""
    given = module.params
    if given["start"]:
        with place.alone():
            manifest = place.manifest()
            if manifest is not None:
                return manifest
            _start(module, place)
    deadline = time.monotonic() + given["wait"]
    patience = time.monotonic() + 30.0
    while True:
        status = place.status()
        manifest = place.manifest()
        if manifest is None and _is_there(status):
            with place.alone():
                manifest = place.manifest() or _accepted(module, place)
        if manifest is not None:
            return manifest
        # A unit needs a moment until its program runs
        if not status["runs"] and (status["phase"] == "failed" and status.get("error")) and _has_begun(place, patience):
            module.fail_json(msg=f"{given['name']}: {status['error'].rstrip('.')}.", progress=status)
        if time.monotonic() >= deadline:
            module.exit_json(changed=True, progress=status, removed=[])
        time.sleep(POLL_SECONDS)


def _start(module: AnsibleModule, place: shelf.Shelf) -> None:
    given = module.params
    status = place.status()
    if status["runs"] or status["phase"] == "arrived":
        return
    if given["hub"] and not given["python"]:
        module.fail_json(msg="python: name a Python that has huggingface_hub, to fetch from the hub")
    python = given["python"] or shelf.default_python()
    try:
        place.start(python, given["token"], given["reserve_bytes"], given["runner"] == "unit")
    except shelf.ShelfError as problem:
        module.fail_json(msg=str(problem))


def _is_there(status: dict[str, t.Any]) -> bool:
    return status["phase"] == "arrived" and not status["runs"]


def _accepted(module: AnsibleModule, place: shelf.Shelf) -> dict[str, t.Any] | None:
    """Return the manifest of what has arrived, None when another run has found it to be no model."""
    status = place.status()
    if not _is_there(status):
        return None
    manifest = {"files": status["files"], "commit": status["commit"]}
    try:
        gguf.read(os.path.join(place.staging, shelf.model_file(manifest)))
    except GGUFError as problem:
        place.discard()
        text = f"what has arrived is no model that llama.cpp could load: {problem}"
        module.fail_json(msg=f"{module.params['name']}: {text}")
    place.accept(manifest)
    return manifest


def _has_begun(place: shelf.Shelf, patience: float) -> bool:
    return os.path.exists(os.path.join(place.job, "lock")) or time.monotonic() > patience


def _remove_others(module: AnsibleModule, place: shelf.Shelf) -> list[str]:
    others = place.others()
    used = shelf.in_use(others, module.params["state_folder"])
    old = [folder for folder in others if folder not in used]
    if not module.check_mode:
        for folder in old:
            shutil.rmtree(folder)
    return old


def _absent(module: AnsibleModule) -> None:
    given = module.params
    folder = os.path.join(given["directory"], given["name"])
    used = shelf.in_use([folder], given["state_folder"])
    if used:
        module.fail_json(msg=f"{folder} is served by the instance {used[folder]}; take that out of service first")
    exists = os.path.isdir(folder)
    if exists and not module.check_mode:
        shutil.rmtree(folder)
    module.exit_json(changed=exists, removed=[folder] if exists else [])


def _request(module: AnsibleModule) -> dict[str, t.Any]:
    """Return what tells this model from others: where it comes from, without what is secret."""
    given = module.params
    if given["hub"]:
        return {"kind": "hub", "source": given["hub"]}
    if given["files"]:
        return {"kind": "http", "source": {"files": [{**file, "path": _name(file["url"])} for file in given["files"]]}}
    if given["path"]:
        source = {"path": given["path"], "method": given["path_method"], "sha256": given["sha256"]}
        return {"kind": "path", "source": source}
    made = given["quantize"]
    base = posixpath.basename(made["input"])[: -len(".gguf")]
    return {"kind": "quantize", "source": {**made, "name": f"{base}-{made['type']}.gguf"}}


def _expected_path(given: dict[str, t.Any], place: shelf.Shelf) -> str:
    """Return where the file to load will be, as far as the request tells."""
    if given["path"] and given["path_method"] == "link":
        return os.path.realpath(given["path"])
    if given["hub"]:
        name = min(given["hub"]["files"]) if given["hub"]["files"] else f"{given['hub']['quant']}.gguf"
    elif given["files"]:
        name = min(_name(file["url"]) for file in given["files"])
    else:
        name = posixpath.basename(given["path"] or given["quantize"]["input"])
    return os.path.join(place.final, name)


def _name(url: str) -> str:
    return posixpath.basename(urllib.parse.unquote(urllib.parse.urlsplit(url).path)) or "model.gguf"


if __name__ == "__main__":
    main()
