# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts and plans that were looked at once, for tests that want one: what facts are and plans were for all of the contract.

A plan is a file so that a change of any figure in it shows in review. `python3 tools/write_golden.py` writes them anew.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import yaml
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import hosts

FOLDER = Path(__file__).resolve().parent
PLANS = FOLDER / "plans"


def host(name: str) -> dict[str, t.Any]:
    """Return the facts of a host: a file of `hosts`, or a server of the catalog."""
    path = FOLDER / "hosts" / f"{name}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else hosts.server(name)


def requests() -> dict[str, dict[str, t.Any]]:
    """Return what is asked, by the name of its plan: `{host, ask}`."""
    listed = yaml.safe_load((FOLDER / "requests.yml").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in listed}


def plan(name: str) -> dict[str, t.Any]:
    """Return a plan as it was written."""
    return json.loads((PLANS / f"{name}.json").read_text(encoding="utf-8"))


def answer(name: str) -> dict[str, t.Any]:
    """Return what the planner makes of the same question now."""
    request = requests()[name]
    return answers.model_fit(host=host(request["host"]), **request["ask"])


def text(value: dict[str, t.Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
