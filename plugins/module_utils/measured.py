# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier runs of llama.cpp were seen to take and to reach on this host: `measured.json` of the state folder.

Its form is `{schema: 1, runs: [run, ...]}`, the newest run last; what a run holds is `measured` of the contract.
"""

from __future__ import annotations

import json
import os
import typing as t

from .host_files import LIMIT_BYTES, Files
from .instance.files import write

SCHEMA = 1
_KEPT = 100

# What makes a run take the place of an older one
_SAME = ("source", "engine", "model", "launch")


def path(state_folder: str) -> str:
    """Return where it is kept."""
    return f"{state_folder}/measured.json"


def read(files: Files, state_folder: str) -> tuple[dict[str, t.Any] | None, list[str]]:
    """Return what is kept (None when nothing is) and problems."""
    where = path(state_folder)
    try:
        value = files.json_object(where)
        if value is None:
            return None, []
        _check(value)
    except ValueError as error:
        return None, [f"{where} {error}: it is ignored; delete it, the next measurement writes it anew"]
    return value, []


def with_run(value: dict[str, t.Any] | None, run: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what is kept with a run added, without older ones of the same program, build, model and launch.

    The oldest go where there are too many, or where the file would become too large to be read.
    """
    same = {key: run[key] for key in _SAME}
    others = [old for old in (value or {}).get("runs", []) if any(old.get(key) != same[key] for key in _SAME)]
    runs = [*others, run][-_KEPT:]
    while len(runs) > 1 and len(text({"schema": SCHEMA, "runs": runs})) > LIMIT_BYTES:
        del runs[0]
    return {"schema": SCHEMA, "runs": runs}


def save(files: Files, state_folder: str, value: dict[str, t.Any]) -> None:
    """Write what is kept, whole or not at all; readable for all, since it holds no secret."""
    write(files.path(path(state_folder)), text(value), 0o644)


def forget(files: Files, state_folder: str, instance: str) -> None:
    """Remove the runs of an instance, and the file with the last run."""
    value, _problems = read(files, state_folder)
    if value is None:
        return
    others = [run for run in value["runs"] if run.get("instance") != instance]
    if others:
        save(files, state_folder, {"schema": SCHEMA, "runs": others})
    else:
        os.unlink(files.path(path(state_folder)))


def text(value: dict[str, t.Any] | None) -> str:
    """Return the text of the file; none for nothing."""
    return "" if value is None else json.dumps(value, indent=2, sort_keys=True) + "\n"


def _check(value: dict[str, t.Any]) -> None:
    if value.get("schema") != SCHEMA:
        raise ValueError(f"is not of schema {SCHEMA}, as this version of the collection reads it")
    runs = value.get("runs")
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise ValueError("has no list of runs")
