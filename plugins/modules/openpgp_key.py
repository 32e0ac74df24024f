#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openpgp_key
short_description: Install a public key for a package repository after checking its fingerprint
version_added: 1.0.0
author:
  - Prositronic (@prositronic)
description:
  - Writes the public key that a package manager shall trust, after comparing its fingerprint with the one given.
  - The host needs no C(gpg); the fingerprint is computed by the module.
  - A key of the right fingerprint that is there already is kept without asking the network.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.actiongroup_all
attributes:
  check_mode:
    support: full
    details:
      - The key is fetched and checked, but not written.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  dest:
    description: File to write. Its folder is made when it is missing.
    type: path
    required: true
  fingerprint:
    description:
      - Full fingerprint of the only primary key that the file may hold. Spaces and colons in it do not count.
    type: str
    required: true
  url:
    description:
      - Where to fetch the key, C(http), C(https), C(ftp) or C(file).
      - A proxy is taken from the environment of the task.
    type: str
  content:
    description: The key itself, armored, for hosts that reach no server.
    type: str
  force:
    description: Fetch the key even when one of the right fingerprint is there, to learn of a new expiry date.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for the server.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Trust NVIDIA's key for the container toolkit
  prositronic.infra.openpgp_key:
    url: https://nvidia.github.io/libnvidia-container/gpgkey
    fingerprint: C95B 321B 61E8 8C18 09C4 F759 DDCA E044 F796 ECB0
    dest: /etc/apt/keyrings/nvidia-container-toolkit.asc

- name: The same on a host that reaches no server
  prositronic.infra.openpgp_key:
    content: "{{ lookup('ansible.builtin.file', 'nvidia-container-toolkit.asc') }}"
    fingerprint: C95B321B61E88C1809C4F759DDCAE044F796ECB0
    dest: /etc/apt/keyrings/nvidia-container-toolkit.asc
"""

RETURN = r"""
fingerprint:
  description: Fingerprint of the key that is, or in check mode would be, at RV(dest).
  returned: success
  type: str
  sample: C95B321B61E88C1809C4F759DDCAE044F796ECB0
dest:
  description: The file.
  returned: success
  type: str
  sample: /etc/apt/keyrings/nvidia-container-toolkit.asc
"""

import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import fetch_url
from ansible_collections.prositronic.infra.plugins.module_utils.container_host import openpgp

LIMIT_BYTES = 1 << 20
MODE = 0o644


def installed(path: str) -> tuple[bytes, list[str]]:
    """Return content and fingerprints of the file that is there; empty for none, or one that is no key."""
    try:
        with open(path, "rb") as file:
            content = file.read(LIMIT_BYTES)
        return content, openpgp.fingerprints(content)
    except (OSError, ValueError):
        return b"", []


def fetch(module: AnsibleModule, url: str) -> bytes:
    """Return what a server sends; fails when it sends nothing."""
    answer, info = fetch_url(module, url, timeout=module.params["timeout"])
    if answer is None or info.get("status") not in (200, None, -1):
        module.fail_json(msg=f"The key could not be fetched from {_without_password(url)}: {info.get('msg')}")
    return t.cast(bytes, answer.read(LIMIT_BYTES))


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


def write(path: str, content: bytes) -> None:
    """Replace the file in one step, so that no run that dies leaves half a key."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".key-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), MODE)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "fingerprint": {"type": "str", "required": True},
            "url": {"type": "str"},
            "content": {"type": "str", "no_log": False},
            "force": {"type": "bool", "default": False, "no_log": False},
            "timeout": {"type": "int", "default": 30},
        },
        required_one_of=[("url", "content")],
        mutually_exclusive=[("url", "content")],
        supports_check_mode=True,
    )
    given = module.params
    try:
        wanted = openpgp.normal(given["fingerprint"])
    except ValueError as error:
        module.fail_json(msg=f"fingerprint: {error}")
    dest = given["dest"]
    before, there = installed(dest)
    if there == [wanted] and not given["force"] and given["url"]:
        module.exit_json(changed=False, fingerprint=wanted, dest=dest)
    content = given["content"].strip().encode() + b"\n" if given["content"] else fetch(module, given["url"])
    source = _without_password(given["url"]) if given["url"] else "content"
    try:
        found = openpgp.fingerprints(content)
    except ValueError as error:
        module.fail_json(msg=f"{source} {error}")
    if found != [wanted]:
        module.fail_json(
            msg=f"The key of {source} has the fingerprint {' and '.join(found)}, expected is {wanted}: it is not trusted."
        )
    changed = content != before
    if changed and not module.check_mode:
        try:
            write(dest, content)
        except OSError as error:
            module.fail_json(msg=f"{dest} could not be written: {error.strerror}")
    module.exit_json(
        changed=changed,
        fingerprint=wanted,
        dest=dest,
        diff={
            "before_header": dest,
            "after_header": dest,
            "before": "".join(f"{each}\n" for each in there),
            "after": f"{wanted}\n",
        },
    )


if __name__ == "__main__":
    main()
