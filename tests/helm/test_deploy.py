# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook helmfile_values, with the real helm and helmfile; the cluster is a stand-in (kubernetes_api.py)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.long

INVENTORY = """
all:
  children:
    alike:
      hosts:
        node1:
          inference_host: "{{ lookup('prositronic.infra.server', 'hetzner-gex131') }}"
        node2:
          inference_host: "{{ lookup('prositronic.infra.server', 'hetzner-gex131') }}"
    other:
      hosts:
        node3:
          inference_host: "{{ lookup('prositronic.infra.server', 'ovh-ai1-1-gpu') }}"
"""
MODELS = [{"name": "chat", "model": "qwen3-8b", "quant": "Q4_K_M", "context": 8192}]


@pytest.fixture
def play(helm, tmp_path, kubernetes):
    """A function that runs the playbook and returns what it printed and its exit code."""
    (tmp_path / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    import ansible_collections.prositronic.infra as collection

    collections = Path(next(iter(collection.__path__))).parents[2]

    def run(*words, **variables):
        given = {
            "target_hosts": "alike",
            "inference_models": MODELS,
            "helmfile_values_folder": str(tmp_path / "values"),
            "helmfile_values_helmfile": str(helm.programs.helmfile),
            "helmfile_values_helm": str(helm.programs.helm),
            "helmfile_values_kubeconfig": str(kubernetes.kubeconfig_path),
            **variables,
        }
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", tmp_path / "inventory.yml", *words]
        command += ["prositronic.infra.helmfile_values", "-e", json.dumps(given)]
        environment = {
            **os.environ,
            "HOME": str(helm.home),
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
        }
        done = subprocess.run(
            list(map(str, command)), env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run


def changes(printed: str) -> int:
    return sum(map(int, re.findall(r"changed=(\d+)", printed)))


@pytest.fixture
def helm_diff(tmp_path, monkeypatch):
    """A stand-in for the plugin helm-diff, which is in no package: it says what it was asked to compare."""
    plugin = tmp_path / "plugins" / "helm-diff"
    plugin.mkdir(parents=True)
    script = plugin / "diff.sh"
    script.write_text('#!/bin/sh\necho would change "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    described = {
        "name": "diff",
        "version": "3.9.0",
        "usage": "x",
        "description": "x",
        "command": "$HELM_PLUGIN_DIR/diff.sh",
    }
    (plugin / "plugin.yaml").write_text(json.dumps(described), encoding="utf-8")
    monkeypatch.setenv("HELM_PLUGINS", str(plugin.parent))


def test_check_mode_says_what_would_change(play, kubernetes, tmp_path):
    """That it is changed then: test_guide.py."""
    code, printed = play("--check", helmfile_values_deploy=True)
    assert code == 0, printed
    assert changes(printed) and "release chat would be installed or upgraded" in printed
    assert not kubernetes.objects and not (tmp_path / "values").exists()
    assert not [line for line in kubernetes.log if not line.startswith("GET ")]


def test_a_release_that_differs_is_shown_and_put_right(play, helm, kubernetes, helm_diff, tmp_path):
    """And a completion that fails fails the play."""
    values = tmp_path / "old.yaml"
    values.write_text(
        "{release: {name: chat}, llamaServer: {image: {tag: server}, model: {path: /x.gguf}}}", encoding="utf-8"
    )
    helm.helmfile("sync", values=(values,), kubeconfig=kubernetes.kubeconfig_path)
    kubernetes.test_phase = "Failed"
    more = {"chat": {"overrides": {"llamaServer": {"replicaCount": 0}}, "options": {"temp": 0.5}}}
    code, printed = play("-v", helmfile_values_deploy=True, helmfile_values_models=more)
    assert code != 0 and "Ask for one completion" in printed
    assert changes(printed) and "would change upgrade" in printed, printed
    (deployment,) = kubernetes.of_kind("deployments")
    assert deployment["spec"]["replicas"] == 0
    args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[args.index("--temp") + 1] == "0.5"


def test_nodes_that_differ_are_no_release(play):
    code, printed = play(target_hosts="all")
    assert code != 0
    assert "The hosts give 2 different plans for chat, and a release has one: limit target_hosts" in printed


def test_writing_needs_no_cluster_and_no_program(play, helm, kubernetes, tmp_path):
    """And what deploying needs is said in one sentence."""
    code, printed = play(helmfile_values_deploy=True, helmfile_values_helmfile="/no/helmfile")
    sentence = (
        "/no/helmfile does not run on the controller: install it, or say where it is with helmfile_values_helmfile."
    )
    assert code != 0 and sentence in " ".join(printed.split()), printed
    assert not kubernetes.objects
    values = yaml.safe_load((tmp_path / "values" / "chat.yaml").read_text(encoding="utf-8"))
    assert (values["release"]["name"], values["release"]["namespace"]) == ("chat", "llama-server")


def test_a_cluster_that_does_not_answer_is_no_empty_cluster(play, kubernetes, tmp_path):
    nowhere = tmp_path / "nowhere"
    nowhere.write_text(kubernetes.kubeconfig().replace(str(kubernetes.server_address[1]), "1"), encoding="utf-8")
    code, printed = play(helmfile_values_deploy=True, helmfile_values_kubeconfig=str(nowhere))
    assert code != 0 and "connection refused" in printed
    assert "Apply and wait" not in printed
