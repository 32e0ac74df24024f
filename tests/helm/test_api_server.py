# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real kube-apiserver with etcd takes what the chart renders. Opt-in: KUBE_APISERVER names the program.

There are no controllers and no nodes: objects are admitted, validated and stored, nothing runs. PodMonitor is left out, since
this old server, built with a newer Go, breaks on objects that are not Kubernetes' own.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time

import pytest
import yaml
from ansible_collections.prositronic.infra.tests.helm.command import SEEDS

PROGRAM = os.environ.get("KUBE_APISERVER")
pytestmark = pytest.mark.skipif(
    not (PROGRAM and shutil.which("etcd")),
    reason="no real API server: build one with tests/helm/build_kube_apiserver, and name it by KUBE_APISERVER",
)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(helm, tmp_path_factory):
    """The kubeconfig of a server that is ready."""
    folder = tmp_path_factory.mktemp("cluster")
    port, store, peer = free_port(), free_port(), free_port()
    subprocess.run(["openssl", "genrsa", "-out", folder / "key", "2048"], check=True, capture_output=True)
    (folder / "tokens").write_text("token,admin,1,system:masters\n", encoding="utf-8")
    etcd = [
        "etcd",
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls=http://127.0.0.1:{store}",
        f"--advertise-client-urls=http://127.0.0.1:{store}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
    ]
    server = [
        PROGRAM,
        f"--etcd-servers=http://127.0.0.1:{store}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder}/certs",
        f"--token-auth-file={folder}/tokens",
        "--authorization-mode=RBAC",
        f"--service-account-key-file={folder}/key",
        f"--service-account-signing-key-file={folder}/key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--disable-admission-plugins=ServiceAccount",
        "--service-cluster-ip-range=10.0.0.0/24",
    ]
    kubeconfig = folder / "kubeconfig"
    access = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    described = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": access}],
        "users": [{"name": "u", "user": {"token": "token"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubeconfig.write_text(json.dumps(described), encoding="utf-8")
    kubeconfig.chmod(0o600)
    with open(folder / "log", "wb") as log:
        started = [subprocess.Popen(command, stdout=log, stderr=log) for command in (etcd, server)]
    try:
        for _try in range(240):
            ready = kubectl(helm, kubeconfig, "get", "--raw", "/readyz", check=False)
            if ready.returncode == 0:
                break
            time.sleep(0.5)
        else:
            pytest.fail((folder / "log").read_text(errors="replace")[-3000:])
        yield kubeconfig
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def kubectl(helm, kubeconfig, *words, text=None, check=True):
    command = [helm.programs.kubectl, "--kubeconfig", kubeconfig, *words]
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done


def test_every_published_file_is_admitted(helm, cluster, tree):
    kubectl(helm, cluster, "create", "namespace", "llama-server")
    for path in sorted((tree / "values").rglob("*.yaml")):
        rendered = helm.helmfile("template", values=(path,)).stdout
        words = ["apply", "--dry-run=server", "--validate=false", "-f", "-"]
        answer = kubectl(helm, cluster, *words, text=rendered).stdout
        assert len(answer.splitlines()) == 5, answer


def test_helmfile_syncs_to_it(helm, cluster, tree, override):
    more = override(
        ingress={"enabled": True, "hosts": {"chat.example.org": {"tlsSecret": "tls"}}},
        auth={"existingSecret": "keys"},
    )
    release = more.with_name("release.yaml")
    release.write_text("release: {wait: false}", encoding="utf-8")
    values = (tree / "values" / "deepseek-v3-1" / SEEDS[0], more, release)
    helm.helmfile("sync", values=values, kubeconfig=cluster)
    found = kubectl(helm, cluster, "-n", "llama-server", "get", "deploy,svc,cm,pvc,ing", "-o", "yaml").stdout
    kinds = [item["kind"] for item in yaml.safe_load(found)["items"]]
    assert {"Deployment", "Service", "ConfigMap", "PersistentVolumeClaim", "Ingress"} <= set(kinds)
    helm.helmfile("destroy", values=values, kubeconfig=cluster)
    left = kubectl(helm, cluster, "-n", "llama-server", "get", "deploy,pvc", "-o", "name").stdout
    assert left == "persistentvolumeclaim/deepseek-v3-1-q3-k-m\n"  # The download outlives the release
