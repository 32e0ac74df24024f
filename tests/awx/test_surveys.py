# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Surveys, and their answers in every form that AWX sends."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import yaml
from ansible_collections.prositronic.infra.tests.awx.conftest import PROGRAMS, ROOT

AWX = ROOT / "awx"
SURVEYS = sorted((AWX / "surveys").glob("*.json"))
ENTRY_POINTS = {"benchmark": "benchmark", "deploy": "deploy", "plan": "main", "report": "main", "toolkit": "toolkit"}
TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}

# Answers, and the models that they ask for
FORMS = [
    ({"model": "qwen3-8b", "quant": ["Q4_K_M"]}, [{"name": "chat", "model": "qwen3-8b", "quant": ["Q4_K_M"]}]),
    (
        {
            "model": "qwen3-8b",
            "quant": "Q4_K_M",
            "name": "",
            "context": "",
            "parallel": "",
            "objective": "",
            "models": "",
        },
        [{"name": "chat", "model": "qwen3-8b", "quant": "Q4_K_M"}],
    ),
    (
        {"model": ["qwen3-8b", "gpt-oss-20b"], "quant": [], "context": 8192, "name": "code"},
        [{"name": "code", "model": ["qwen3-8b", "gpt-oss-20b"], "context": 8192}],
    ),
    ({"model": "qwen3-8b", "context": "8192"}, [{"name": "chat", "model": "qwen3-8b", "context": "8192"}]),
    ({"models": "[{name: a, model: b}]", "model": ""}, [{"name": "a", "model": "b"}]),
    ({"models": "- name: a\n  model: b\n", "model": []}, [{"name": "a", "model": "b"}]),
    ({"models": [{"name": "a", "model": "b"}]}, [{"name": "a", "model": "b"}]),
    (
        {"path": "/srv/x.gguf", "port": 8081, "address": "0.0.0.0", "hub_repository": ""},
        [{"name": "chat", "port": 8081, "source": {"path": "/srv/x.gguf"}, "server": {"address": "0.0.0.0"}}],
    ),
    (
        {"model": "qwen3-8b", "hub_repository": "p/q-GGUF", "quant": ["Q4_K_M"]},
        [
            {
                "name": "chat",
                "model": "qwen3-8b",
                "quant": ["Q4_K_M"],
                "source": {"hub": {"repository": "p/q-GGUF", "quant": "Q4_K_M"}},
            }
        ],
    ),
]
REFUSED = [
    ({}, "Name one model"),
    ({"model": "a", "models": "[{name: a, model: b}]"}, "and not both"),
    ({"models": "{name: a}"}, "give answer_models a list"),
    ({"models": "hello"}, "give answer_models a list"),
    ({"model": "a", "context": "much"}, "unable to convert to int"),
    ({"model": "a", "objective": "beauty"}, "value of objective must be one of"),
    ({"model": "a", "modle": "b"}, "modle"),
]


@pytest.mark.parametrize("path", SURVEYS, ids=lambda path: path.stem)
def test_questions_are_those_that_the_role_takes(path):
    survey = json.loads(path.read_text(encoding="utf-8"))
    specs = yaml.safe_load((ROOT / "roles" / "survey" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    known = specs["argument_specs"][ENTRY_POINTS[path.stem]]["options"]["survey_answers"]["options"]
    asked = {question["variable"].removeprefix("answer_"): question for question in survey["spec"]}
    assert len(asked) == len(survey["spec"])
    assert set(asked) == set(known) - ({"output"} if path.stem == "deploy" else set())
    for name, question in asked.items():
        assert question["type"] in TYPES
        assert question["variable"] == f"answer_{name}"
        assert (question["type"] == "integer") == (known[name]["type"] == "int")
        allowed = set(known[name].get("choices", question["choices"])) or {""}
        assert set(question["choices"] or allowed) <= allowed
        defaults = str(question["default"]).split("\n")  # of a choice of several, a line each
        assert set(defaults) <= {"", *question["choices"]} or not question["choices"]
    assert (AWX / f"{path.stem}.yml").is_file()


@pytest.fixture
def answered(environment, tmp_path):
    """A function that gives answers to the role, all in one run; what each set, or how each was refused."""

    def run(cases):
        role = {"name": "prositronic.infra.survey", "tasks_from": "deploy"}
        tasks = [
            {
                "block": [
                    {
                        "ansible.builtin.include_role": role,
                        "vars": {f"answer_{name}": value for name, value in answers.items()},
                    },
                    {"ansible.builtin.set_fact": {"seen": "{{ seen + [survey_models] }}"}},
                ],
                "rescue": [{"ansible.builtin.set_fact": {"seen": "{{ seen + [ansible_failed_result.msg] }}"}}],
            }
            for answers in cases
        ]
        note = {"content": "{{ seen | to_json }}", "dest": str(tmp_path / "seen.json"), "mode": "0600"}
        start = {"ansible.builtin.set_fact": {"seen": []}}
        play = [{"hosts": "localhost", "gather_facts": False, "tasks": [start, *tasks, {"ansible.builtin.copy": note}]}]
        (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
        command = [str(PROGRAMS / "ansible-playbook"), str(tmp_path / "play.yml")]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))

    return run


def test_answers_in_every_form(answered):
    assert answered([answers for answers, _models in FORMS]) == [models for _answers, models in FORMS]


def test_answers_that_cannot_be_meant(answered):
    for said, (answers, sentence) in zip(answered([answers for answers, _said in REFUSED]), REFUSED, strict=True):
        assert sentence in said, answers


def test_definitions_name_what_is_there_and_no_organisation(environment, tmp_path):
    """Both forms are the same data; a site gives the names that are its own."""
    given = {f"site_{name}": f"my {name}" for name in ("organization", "inventory", "credential", "project_url")}
    given |= {"site_execution_environment": "my image", "awx_folder": str(AWX)}
    definitions = AWX / "definitions" / "aap_configuration.yml"
    names = list(yaml.safe_load(definitions.read_text(encoding="utf-8")))
    note = {
        "content": "{{ dict(n | zip(query('vars', *n))) | to_json }}",
        "dest": str(tmp_path / "out.json"),
        "mode": "0600",
    }
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars_files": [str(definitions)],
            "tasks": [{"ansible.builtin.copy": note, "vars": {"n": names}}],
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    command = [str(PROGRAMS / "ansible-playbook"), str(tmp_path / "play.yml"), "-e", json.dumps(given)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    defined = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    templates = {template["name"]: template for template in defined["controller_templates"]}
    assert {template["playbook"] for template in templates.values()} == {f"{path.stem}.yml" for path in SURVEYS}
    for template in templates.values():
        assert (AWX / template["playbook"]).is_file()
        assert template["survey_spec"]["spec"]
        assert template["organization"] == "my organization"
    assert templates["prositronic: report"]["job_slice_count"] == 1
    for node in defined["controller_workflows"][0]["simplified_workflow_nodes"]:
        assert node["unified_job_template"] in templates
    for kind in defined["controller_credential_types"]:
        assert {field["id"] for field in kind["inputs"]["fields"]} >= set(kind["inputs"]["required"])
