# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of an instance, and a copy of those that it last served with.

`unit` and `api_keys` are what is tried; `good` holds what has passed the check, so that a switch that was broken off at any
point, by whatever, is seen by the next one and can be taken back. The record is what `gpu_facts` reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import typing as t

RUNTIME_UNITS = "/run/systemd/system"
KEYS = "/etc/prositronic/llama-server"

# As the contract has names
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


class Form(t.NamedTuple):
    """A way to write an instance down: where, with which suffix, and how its copy is called."""

    folder: str
    suffix: str
    copy: str


# A quadlet is what podman's generator makes a unit of the same name from. Where there are both, systemd takes the unit.
FORMS = {
    "unit": Form("/etc/systemd/system", "service", "unit"),
    "quadlet": Form("/etc/containers/systemd", "container", "container"),
}


class Setting(t.NamedTuple):
    """What an instance is started from: the text of its unit, and of the file of its keys (None: no key is needed).

    `form` is one of FORMS.
    """

    unit: str
    api_keys: str | None
    form: str = "unit"


class InstanceFiles:
    """Where an instance of this name has its files. `root` is `/` except in tests.

    :raises ValueError: the name could become another path than one of an instance.
    """

    def __init__(self, name: str, state_folder: str, root: str = "/") -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(
                "name has to be 1 to 64 letters, digits, dots, hyphens and underscores, with a letter or a digit at either end"
            )
        self._root = root
        self.name = name
        self.state_folder = state_folder
        self.unit_name = f"llama-server-{name}.service"
        self.trial_name = f"llama-server-{name}-trial.service"
        self.units = {
            form: self._at(f"{each.folder}/llama-server-{name}.{each.suffix}") for form, each in FORMS.items()
        }
        self.trial = self._at(f"{RUNTIME_UNITS}/{self.trial_name}")
        self.api_keys = self._at(f"{KEYS}/{name}.keys")
        self.instances = self._at(f"{state_folder}/instances")
        self.record = f"{self.instances}/{name}.json"
        self.good = f"{self.instances}/{name}.good"
        self._good_units = {form: f"{self.good}/{each.copy}" for form, each in FORMS.items()}

    def _at(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def installed(self) -> Setting | None:
        """Return what systemd would start now."""
        return _setting(self.units, self.api_keys)

    def last_good(self) -> Setting | None:
        """Return what last passed the check."""
        return _setting(self._good_units, f"{self.good}/api-keys")

    def install(self, setting: Setting) -> None:
        """Let systemd start this from now on; the keys come first, since a unit without its keys would not start."""
        if setting.api_keys is not None:
            write(self.api_keys, setting.api_keys, 0o600, folder_mode=0o700)
        write(self.units[setting.form], setting.unit, 0o644)
        for form in FORMS.keys() - {setting.form}:
            _remove(self.units[form])
        if setting.api_keys is None:
            _remove(self.api_keys)

    def commit(self, setting: Setting) -> None:
        """Remember that this passed the check. The unit comes last: without it the copy does not count."""
        for path in self._good_units.values():
            _remove(path)
        if setting.api_keys is None:
            _remove(f"{self.good}/api-keys")
        else:
            write(f"{self.good}/api-keys", setting.api_keys, 0o600, folder_mode=0o700)
        write(self._good_units[setting.form], setting.unit, 0o600, folder_mode=0o700)

    def uninstall(self) -> None:
        """Remove everything of the instance but what systemd itself keeps."""
        copies = (f"{self.good}/api-keys", *self._good_units.values())
        for path in (self.trial, *self.units.values(), self.api_keys, *copies, self.record):
            _remove(path)
        # The last one leaves no folder either
        for path in (f"{self.good}/unit", self.record, self.api_keys):
            for folder in (os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)

    def exists(self) -> bool:
        """Say whether anything of the instance is there."""
        return any(map(os.path.lexists, (self.trial, *self.units.values(), self.api_keys, self.good, self.record)))

    def others(self) -> list[str]:
        """Return the names of the other instances on this host, sorted."""
        try:
            found = os.listdir(self.instances)
        except FileNotFoundError:
            return []
        own = os.path.basename(self.record)
        return sorted(name[: -len(".json")] for name in found if name.endswith(".json") and name != own)

    def write_record(self, record: dict[str, t.Any]) -> None:
        """Write what the next plan reads."""
        write(self.record, record_text(record), 0o644)


def record_text(record: dict[str, t.Any]) -> str:
    """Return a record as its file holds it."""
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


def read(path: str) -> str | None:
    """Return the text of a file, None when it is not there."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path: str, text: str, mode: int, folder_mode: int = 0o755) -> None:
    """Put a file in place whole or not at all, with its mode from the first byte on, and on disk before its name is."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, folder_mode)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def _setting(units: dict[str, str], api_keys: str) -> Setting | None:
    for form, path in units.items():
        text = read(path)
        if text is not None:
            return Setting(text, read(api_keys), form)
    return None


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
