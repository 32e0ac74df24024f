# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd: the runtime is in a file of its own beside the administrator's, which imports it.

Source: containerd's docs/man/containerd-config.toml.5.md (imports, version) and docs/cri/config.md.
"""

from __future__ import annotations

import copy
import fnmatch
import os
import re
import typing as t

from . import toml
from .request import MANAGED, RUNTIME, File, Request

PROGRAM = "/usr/bin/nvidia-container-runtime"
CHECK = ("containerd", "--config", "{file}", "config", "dump")
# Before 2.1 an imported file replaces the whole section of a plugin; since then sections are merged.
MERGES_FROM = (2, 1)
CDI_FROM = (1, 7)
CDI_DEFAULT_FROM = (2, 0)
_IMPORTS = re.compile(r"^[ \t]*imports[ \t]*=[ \t]*\[", re.MULTILINE)
_VERSION = re.compile(r"^[ \t]*version[ \t]*=.*$", re.MULTILINE)
_ADDED = "  # for the NVIDIA container toolkit"


def files(request: Request) -> list[File]:
    """Return the main file and the drop-in."""
    path, drop_in = request.engine["config"], request.engine["drop_in"]
    text = request.texts.get(path)
    main = toml.read(text or "", path)
    if not request.wanted:
        return [File(path, _without_import(request, text), check=CHECK), File(drop_in, None)]
    version = _config_version(request, main, path)
    if text is None:
        text = f"{MANAGED}\nversion = {version}\n"
        main = {"version": version}
    content = f"{MANAGED}\n{toml.write(_drop_in(request, main, version))}"
    return [
        File(path, _with_import(request, text, main), check=CHECK),
        # Only root may read it: what is copied from the main file may hold passwords of registries.
        File(drop_in, content, mode="0600", check=CHECK),
    ]


def plugin(version: int) -> str:
    """Return the section that holds the runtimes in a configuration of this version."""
    return "io.containerd.grpc.v1.cri" if version == 2 else "io.containerd.cri.v1.runtime"


def _config_version(request: Request, main: toml.Table, path: str) -> int:
    if not main:
        return 2 if request.version < (2,) else 3
    version = main.get("version", 1)
    if not isinstance(version, int) or version < 2:
        raise ValueError(
            f"{path} was left as it is: it is of version 1 (it has no line such as 'version = 2'), which has no drop-ins;"
            " bring it to version 2 first, containerd config migrate shows how"
        )
    return version


def _drop_in(request: Request, main: toml.Table, version: int) -> toml.Table:
    name = plugin(version)
    there = _section_in_use(request, main, name)
    runtimes = there.get("containerd", {}).get("runtimes", {})
    section: toml.Table = {} if request.version >= MERGES_FROM else copy.deepcopy(there)
    containerd = section.setdefault("containerd", {})
    # What holds for the host's other containers, such as SystemdCgroup, has to hold for these
    default = there.get("containerd", {}).get("default_runtime_name", "runc")
    model = runtimes.get("runc" if default == RUNTIME else default) or {"runtime_type": "io.containerd.runc.v2"}
    runtime = copy.deepcopy(model)
    runtime.setdefault("options", {})["BinaryName"] = PROGRAM
    containerd.setdefault("runtimes", {})[RUNTIME] = runtime
    if request.default:
        containerd["default_runtime_name"] = RUNTIME
    elif request.default is False and default == RUNTIME:
        containerd["default_runtime_name"] = "runc"
    cdi_is_on = there.get("enable_cdi", request.version >= CDI_DEFAULT_FROM)
    if request.cdi and request.version >= CDI_FROM and not cdi_is_on:
        section["enable_cdi"] = True
    return {"version": version, "plugins": {name: section}}


def _section_in_use(request: Request, main: toml.Table, name: str) -> toml.Table:
    """Return the section as the main file and the other imported files make it up."""
    section = main.get("plugins", {}).get(name, {})
    for path in _imported(request, main):
        theirs = toml.read(request.texts[path], path).get("plugins", {}).get(name)
        if theirs is not None:
            section = _merged(section, theirs) if request.version >= MERGES_FROM else theirs
    return section


def _imported(request: Request, main: toml.Table) -> list[str]:
    """Return the files that the main one imports and this is not about, in containerd's order."""
    folder = os.path.dirname(request.engine["config"])
    found: list[str] = []
    for pattern in main.get("imports", []):
        found += fnmatch.filter(sorted(request.texts), os.path.join(folder, pattern))
    return [path for path in dict.fromkeys(found) if path not in (request.engine["config"], request.engine["drop_in"])]


def _merged(one: t.Any, other: t.Any) -> t.Any:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return {**one, **{key: _merged(one[key], value) if key in one else value for key, value in other.items()}}


def _pattern(request: Request) -> str:
    return f"{os.path.dirname(request.engine['drop_in'])}/*.toml"


def _with_import(request: Request, text: str, main: toml.Table) -> str:
    """Return the main file with the drop-in among its imports and everything else as it was."""
    folder = os.path.dirname(request.engine["config"])
    imports = main.get("imports", [])
    if any(fnmatch.fnmatch(request.engine["drop_in"], os.path.join(folder, each)) for each in imports):
        return text
    pattern = _pattern(request)
    array, version = _IMPORTS.search(text), _VERSION.search(text)
    if array:
        after = f'{text[: array.end()]}"{pattern}"{", " if imports else ""}{text[array.end() :]}'
        expected = [pattern, *imports]
    else:
        end = version.end() if version else 0
        after = f'{text[:end]}\nimports = ["{pattern}"]{_ADDED}{text[end:]}'
        expected = [pattern]
    if not toml.says(after, {**main, "imports": expected}):
        raise ValueError(f'{request.engine["config"]} was left as it is: add "{pattern}" to its imports by hand')
    return after


def _without_import(request: Request, text: str | None) -> str | None:
    """Return the main file without the line that was added to it, None when nothing else was in it."""
    if text is None:
        return None
    added = f'\nimports = ["{_pattern(request)}"]{_ADDED}'
    others = [path for path in request.texts if os.path.dirname(path) == os.path.dirname(request.engine["drop_in"])]
    if set(others) - {request.engine["drop_in"]}:
        return text
    after = text.replace(added, "")
    return None if re.fullmatch(rf"{re.escape(MANAGED)}\nversion = \d+\n", after) else after
