# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide's page about Kubernetes, its commands run as they are written; the cluster is a stand-in, in which no pod runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.prositronic.infra.tests.guide import pages
from ansible_collections.prositronic.infra.tests.helm.command import ROOT

pytestmark = pytest.mark.long


def test_the_page_about_kubernetes(helm, kubernetes, tmp_path):
    home, page = tmp_path / "home", tmp_path / "page"
    place = home / ".ansible" / "collections" / "ansible_collections" / "prositronic"
    place.mkdir(parents=True)
    (place / "infra").symlink_to(ROOT)
    page.mkdir()
    environment = {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{helm.programs.folder}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(place.parents[1]),
        "ANSIBLE_NOCOLOR": "1",
        "HELMFILE_UPGRADE_NOTICE_DISABLED": "1",
        "KUBECONFIG": str(kubernetes.kubeconfig_path),
    }
    written, deployed, without = pages.follow("kubernetes.md", page, environment, {"", "cluster"})
    assert "What binds: nothing: the wanted context fits" in written
    assert "Ask for one completion" in deployed and "chat" in without
    (deployment,) = kubernetes.of_kind("deployments")
    assert deployment["metadata"]["name"] == "chat"
    (test,) = kubernetes.of_kind("pods")
    assert test["spec"]["containers"][0]["command"] == ["/bin/sh", "/scripts/complete"]
    releases = {secret["metadata"]["labels"]["status"] for secret in kubernetes.of_kind("secrets")}
    assert releases == {"deployed", "superseded"}  # by Ansible, and by hand

    before = len(kubernetes.of_kind("secrets"))
    (command,) = [block.text for block in pages.blocks("kubernetes.md") if "helmfile_values_deploy" in block.text]
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=page,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))) == (0, 0), done.stdout
    assert len(kubernetes.of_kind("secrets")) == before
