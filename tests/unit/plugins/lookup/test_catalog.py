# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalog's lookups, as a playbook calls them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template


def render(template: str, **variables):
    """Return what a playbook gets for a template."""
    return Templar(DataLoader(), variables=variables).template(trust_as_template("{{ " + template + " }}"))


def test_model():
    entry = render("lookup('prositronic.infra.model', 'deepseek-v3.1')")
    assert entry["hf_repo"] == "deepseek-ai/DeepSeek-V3.1"
    assert entry["trained_context"] == 163840
    assert entry["metadata"]["general.architecture"] == "deepseek2"


def test_several_models_in_order():
    entries = render("query('prositronic.infra.model', *wanted)", wanted=["qwen3-8b", "gpt-oss-20b"])
    assert [entry["id"] for entry in entries] == ["qwen3-8b", "gpt-oss-20b"]


def test_gpus_are_numbered():
    gpus = render("query('prositronic.infra.gpu', 'L40S', 'nvidia-l4')")
    assert [(gpu["index"], gpu["name"]) for gpu in gpus] == [(0, "NVIDIA L40S"), (1, "NVIDIA L4")]
    assert {gpu["basis"] for gpu in gpus} == {"assumed"}


def test_server_by_a_templated_name():
    host = render(
        "lookup('prositronic.infra.server', machine)", machine=trust_as_template("{{ 'hetzner-' ~ 'gex131' }}")
    )
    assert host["name"] == "hetzner-gex131"
    assert len(host["gpus"]) == 1


def test_without_names_all_are_listed():
    ids = [entry["id"] for entry in render("query('prositronic.infra.model')")]
    assert {"deepseek-v3.1", "qwen3-8b"} < set(ids) and ids == sorted(ids)
    assert "NVIDIA L4" in {gpu["name"] for gpu in render("query('prositronic.infra.gpu')")}
    servers = {host["name"] for host in render("query('prositronic.infra.server')")}
    assert "hetzner-gex131" in servers and "gcp-a3-highgpu-8g" not in servers
    assert "gcp-a3-highgpu-8g" in {host["name"] for host in render("query('prositronic.infra.server', memory='64 GiB')")}


def test_memory_of_a_server():
    host = render("lookup('prositronic.infra.server', 'hetzner-gex131', memory=ram)", ram="128 GiB")
    assert host["memory"]["total_bytes"] == 128 << 30


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            "lookup('prositronic.infra.model', 'deepseek-v31')",
            "prositronic.infra.model: no model 'deepseek-v31'; did you mean deepseek-v3.1?",
        ),
        ("lookup('prositronic.infra.gpu', 5)", "prositronic.infra.gpu: arguments.name: input should be a valid string"),
        ("lookup('prositronic.infra.server', 'gcp-a3-highgpu-8g')", "say it with memory"),
        ("lookup('prositronic.infra.server', 'GEX131', memory='much')", "prositronic.infra.server: memory is a number"),
    ],
)
def test_a_refusal_names_the_door_and_the_input(template, sentence):
    with pytest.raises(AnsibleError) as error:
        render(template)
    assert sentence in str(error.value)


def test_an_undefined_variable_is_ansibles_own_error():
    with pytest.raises(AnsibleError, match="'nobody' is undefined"):
        render("lookup('prositronic.infra.model', nobody)")
