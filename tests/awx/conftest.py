# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the AWX project as AWX does: in a private data folder, with the answers of a survey as extra variables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
SERVERS = {
    "one": "hetzner-gex131",
    "two": "hetzner-gex131",
    "three": "ovh-ai1-1-gpu",
    "four": "ovh-ai1-1-gpu",
}


@pytest.fixture(scope="session")
def collections(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collections")
    (folder / "ansible_collections" / "prositronic").mkdir(parents=True)
    (folder / "ansible_collections" / "prositronic" / "infra").symlink_to(ROOT)
    return folder


@pytest.fixture
def environment(collections, tmp_path):
    """As in an execution environment: a home that cannot be written to, and no sudo."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "ansible" / "tmp"),
        "ANSIBLE_REMOTE_TMP": str(tmp_path / "ansible" / "remote"),
        "HOME": "/proc/none",
        "PATH": f"{PROGRAMS}:{_without_sudo(tmp_path)}",
    }


def _without_sudo(folder: Path) -> Path:
    """A folder with the programs of this machine but for those that give rights."""
    tools = folder / "tools"
    tools.mkdir()
    for place in ("/usr/bin", "/bin"):
        for program in Path(place).iterdir():
            if program.name not in ("sudo", "su", "doas", "pkexec") and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    return tools


@pytest.fixture
def private_data(environment, tmp_path):
    """A function that makes AWX's private data folder: project, inventory and answers."""

    def make(answers, hosts=tuple(SERVERS)):
        folder = tmp_path / f"job{len(list(tmp_path.glob('job*')))}"
        for name in ("env", "inventory"):
            (folder / name).mkdir(parents=True)
        shutil.copytree(ROOT / "awx", folder / "project")
        described = {
            name: {"inference_host": f"{{{{ lookup('prositronic.infra.server', '{SERVERS[name]}') }}}}"}
            for name in hosts
        }
        (folder / "inventory" / "hosts.json").write_text(json.dumps({"all": {"hosts": described}}), encoding="utf-8")
        (folder / "env" / "extravars").write_text(json.dumps(answers), encoding="utf-8")
        (folder / "env" / "envvars").write_text(json.dumps(environment), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def runner(environment):
    """A function that runs ansible-runner, with bytes in and out."""

    def run(*words, given=b"", must_pass=True):
        command = [str(PROGRAMS / "ansible-runner"), *map(str, words)]
        done = subprocess.run(
            command, env={**os.environ, **environment}, input=given, capture_output=True, timeout=300, check=False
        )
        if must_pass:
            assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
        return done.stdout

    return run


def artifacts(folder: Path) -> dict:
    """What set_stats gave to later steps of a workflow, as AWX reads it: from the event at the end."""
    events = [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("job_events/*.json")]
    (end,) = [event for event in events if event["event"] == "playbook_on_stats"]
    return end["event_data"]["artifact_data"]
