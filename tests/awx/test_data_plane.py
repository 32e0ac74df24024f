# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The project through AWX's real data plane, ansible-runner, without hosts: machines of the catalog are planned for."""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml
from ansible_collections.prositronic.infra.tests.awx.conftest import PROGRAMS, ROOT, SERVERS, artifacts

pytestmark = pytest.mark.long

ANSWERS = {
    "answer_target_hosts": "",
    "answer_model": "qwen3-14b",
    "answer_quant": ["Q4_K_M"],
    "answer_name": "",
    "answer_context": 8192,
    "answer_parallel": "",
    "answer_objective": "speed",
    "answer_models": "",
}
SUMMARY = {"name": "chat", "model": "qwen3-14b", "quant": "Q4_K_M", "placement": "gpu", "fits": True, "context": 8192}


def test_a_plan_reaches_later_steps_in_a_few_lines(private_data, runner, tmp_path):
    """Nothing that runs on the controller needs sudo or a home."""
    folder = private_data({**ANSWERS, "answer_output": str(tmp_path / "plans")})
    runner("run", folder, "-p", "plan.yml")
    assert artifacts(folder) == {
        "inference_plans": str(tmp_path / "plans"),
        "inference_summary": [{**SUMMARY, "hosts": 4}],
    }
    plan = yaml.safe_load((tmp_path / "plans" / "one.yml").read_text(encoding="utf-8"))
    assert plan["chat"]["launch"]["ctx_size"] == 8192
    assert sorted(path.stem for path in (tmp_path / "plans").iterdir()) == sorted(SERVERS)


def test_a_job_crosses_the_mesh(private_data, runner, tmp_path):
    """transmit on the control node, worker on the execution node, process on the control node again."""
    folder = private_data({**ANSWERS, "answer_quant": "Q4_K_M", "answer_context": "8192"})
    sent = runner("transmit", folder, "-p", "plan.yml")
    returned = runner("worker", "--private-data-dir", tmp_path / "node", given=sent)
    runner("process", folder, given=returned)
    assert artifacts(folder)["inference_summary"] == [{**SUMMARY, "hosts": 4}]


def test_slices_plan_what_the_whole_does(private_data, runner):
    """A sliced job is one job for each part of the inventory; what runs once runs once for each."""
    names = list(SERVERS)
    counted = []
    for part in (names[::2], names[1::2]):
        folder = private_data(ANSWERS, part)
        runner("run", folder, "-p", "plan.yml")
        counted += artifacts(folder)["inference_summary"]
    assert counted == [{**SUMMARY, "hosts": 2}] * 2


def test_pages_of_a_fleet(private_data, runner, tmp_path):
    folder = private_data({**ANSWERS, "answer_output": str(tmp_path / "pages")})
    runner("run", folder, "-p", "report.yml")
    assert (tmp_path / "pages" / "index.html").is_file()


def test_the_execution_environment_can_be_built(environment, tmp_path):
    """As far as without a container engine: everything is there for the build, and the collection names its requirements."""
    builder = str(PROGRAMS / "ansible-builder")
    words = [
        "create",
        "--file",
        str(ROOT / "awx" / "execution-environment.yml"),
        "--context",
        str(tmp_path / "context"),
    ]
    words += ["--output-filename", "Containerfile"]
    variables = {**os.environ, **environment}
    done = subprocess.run([builder, *words], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ansible-galaxy collection install" in (tmp_path / "context" / "Containerfile").read_text(encoding="utf-8")
    words = ["introspect", "--sanitize", str(variables["ANSIBLE_COLLECTIONS_PATH"])]
    done = subprocess.run([builder, *words], env=variables, capture_output=True, text=True, check=False)
    assert "pydantic" in done.stdout and "from collection prositronic.infra" in done.stdout, done.stderr
