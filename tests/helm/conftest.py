# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of chart and helmfile share: the programs, a published sample, a web server and a stand-in for a cluster.

The collection is imported within the fixtures, since only then is it known by its name.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading

import pytest

# Beside the machines of the first pages, one of each kind: AMD, Intel, unified memory, several GPUs, an old GPU.
SAMPLE = {
    "models": ["gpt-oss-20b"],
    "quants": ["Q4_K_M"],
    "hardware": ["ovh-ai1-1-gpu", "amd-mi300x", "Arc-B580", "GB10-DGX-Spark", "aws-g5-12xlarge", "P40", "T4"],
    "context": 32768,
}


@pytest.fixture(scope="session")
def helm(tmp_path_factory):
    from ansible_collections.prositronic.infra.tests.helm.command import Helm
    from ansible_collections.prositronic.infra.tests.helm.programs import programs

    return Helm(programs(), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """The published sample, with the three files of the first pages."""
    from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
    from ansible_collections.prositronic.infra.tests.helm.command import SEEDS

    folder = tmp_path_factory.mktemp("tree")
    answers.helmfile_values_tree(str(folder), **SAMPLE)
    for seed in SEEDS:
        quant, hardware = seed.removesuffix(".yaml").split("/")
        part = tmp_path_factory.mktemp("seed")
        answers.helmfile_values_tree(
            str(part), models=["deepseek-v3.1"], quants=[quant], hardware=[hardware], context=32768
        )
        path = f"values/deepseek-v3-1/{seed}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(part / path, folder / path)
    return folder


@pytest.fixture(scope="session")
def seed(tree):
    return tree / "values" / "deepseek-v3-1" / "q3_k_m" / "nvidia-rtx6000pro.yaml"


@pytest.fixture
def override(tmp_path):
    """A function that writes values to override others with."""

    def write(**values):
        path = tmp_path / "override.yaml"
        # JSON quotes all text, of which Go's YAML takes more for numbers and booleans than Python's
        path.write_text(json.dumps({"llamaServer": values}, ensure_ascii=False), encoding="utf-8")
        return path

    return write


@pytest.fixture
def kubernetes(tmp_path):
    """A stand-in for a cluster; `kubeconfig_path` says how to reach it."""
    from ansible_collections.prositronic.infra.tests.helm.kubernetes_api import KubernetesApi

    api = KubernetesApi()
    api.kubeconfig_path = tmp_path / "kubeconfig"
    api.kubeconfig_path.write_text(api.kubeconfig(), encoding="utf-8")
    yield api
    api.shutdown()
    api.server_close()


@pytest.fixture
def web(tree):
    """The published tree on a web server of the loopback; the address."""
    handler = functools.partial(_Quiet, directory=str(tree))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
