# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docker: the runtime is merged into daemon.json, which belongs to the administrator."""

from __future__ import annotations

import json
import re
import typing as t

from .request import RUNTIME, File, Request

# As nvidia-ctk writes it, so that a host that was configured with it needs no restart.
PROGRAM = "nvidia-container-runtime"
# moby 25 can inject CDI devices when told so, 28.2 does so untold.
CDI_FROM = (25,)
CDI_DEFAULT_FROM = (28, 2)
CHECK_FROM = (23,)  # dockerd --validate


def files(request: Request) -> list[File]:
    """Return daemon.json."""
    path = request.engine["config"]
    text = request.texts.get(path, "")
    before = _read(text, path)
    after = json.loads(json.dumps(before))
    (_add if request.wanted else _remove)(after, request, path)
    if after == before:
        content = text if path in request.texts else None
    else:
        content = json.dumps(after, indent=_indent(text), ensure_ascii=False) + "\n" if after else None
    check = ("dockerd", "--validate", "--config-file", "{file}") if request.version >= CHECK_FROM else ()
    return [File(path, content, check=check)]


def _add(config: dict[str, t.Any], request: Request, path: str) -> None:
    _object(_object(config, "runtimes", path), RUNTIME, path)["path"] = PROGRAM
    if request.default:
        config["default-runtime"] = RUNTIME
    elif request.default is False:
        _remove_default(config)
    if request.cdi and CDI_FROM <= request.version < CDI_DEFAULT_FROM:
        _object(config, "features", path)["cdi"] = True


def _remove(config: dict[str, t.Any], request: Request, path: str) -> None:
    """Take the runtime out. `features.cdi` stays: devices of others may use it."""
    runtimes = _object(config, "runtimes", path)
    runtimes.pop(RUNTIME, None)
    if not runtimes:
        del config["runtimes"]
    _remove_default(config)


def _remove_default(config: dict[str, t.Any]) -> None:
    if config.get("default-runtime") == RUNTIME:
        del config["default-runtime"]


def _object(config: dict[str, t.Any], key: str, path: str) -> dict[str, t.Any]:
    value = config.setdefault(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{path} was left as it is: its {key} is not an object")
    return value


def _read(text: str, path: str) -> dict[str, t.Any]:
    if not text.strip():
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"{path} is not valid JSON{place} and was left as it is: correct it first") from None
    if not isinstance(config, dict):
        raise ValueError(f"{path} is not a JSON object and was left as it is: correct it first")
    return config


def _indent(text: str) -> str:
    """Return the indentation that the file has."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return found.group(1) if found else "  "
