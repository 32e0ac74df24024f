# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CRI-O: the runtime is in a drop-in of its own; CRI-O merges drop-ins in the order of their names.

Source: CRI-O's docs/crio.conf.5.md and docs/crio.conf.d.5.md.
"""

from __future__ import annotations

import typing as t

from . import toml
from .request import MANAGED, RUNTIME, File, Request

PROGRAM = "/usr/bin/nvidia-container-runtime"
CHECK = ("crio", "--config", "{file}", "--config-dir", "", "config")


def files(request: Request) -> list[File]:
    """Return the drop-in."""
    drop_in = request.engine["drop_in"]
    if not request.wanted:
        return [File(drop_in, None)]
    runtime = _in_use(request)
    table: toml.Table = {"runtimes": {RUNTIME: {**_model(runtime), "runtime_path": PROGRAM, "runtime_type": "oci"}}}
    if request.default:
        table["default_runtime"] = RUNTIME
    content = f"{MANAGED}\n{toml.write({'crio': {'runtime': table}})}"
    return [File(drop_in, content, check=CHECK)]


def _in_use(request: Request) -> toml.Table:
    """Return [crio.runtime] as the main file and the other drop-ins make it up."""
    main = request.engine["config"]
    others = sorted(path for path in request.texts if path not in (main, request.engine["drop_in"]))
    runtime: toml.Table = {"runtimes": {}}
    for path in [main, *others]:
        theirs = toml.read(request.texts.get(path, ""), path).get("crio", {}).get("runtime", {})
        runtimes = {**runtime["runtimes"], **theirs.get("runtimes", {})}
        runtime = {**runtime, **theirs, "runtimes": runtimes}
    return runtime


def _model(runtime: toml.Table) -> dict[str, t.Any]:
    """Return the runtime that containers get now: where its conmon is, and what it may do, holds for ours as well."""
    for name in (runtime.get("default_runtime"), "crun", "runc"):
        if name in runtime["runtimes"] and name != RUNTIME:
            return dict(runtime["runtimes"][name])
    return {}
