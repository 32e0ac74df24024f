# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chart and the helmfile, rendered by the real programs."""

from __future__ import annotations

import functools
import json
import re

import jsonschema
import kubernetes_validate.utils
import pytest
import yaml
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.helmfile_values import ChartValues
from ansible_collections.prositronic.infra.tests.helm.command import FILES, ROOT, SEEDS, objects, of_kind

# The oldest and the newest Kubernetes whose schemas there are.
KUBERNETES = ("1.25", "1.37")
# Not Kubernetes' own kind, so that its schemas do not have it.
FOREIGN = {"PodMonitor"}


def valid(found: list[dict]) -> list[dict]:
    """The objects, each checked against Kubernetes' schemas, which allow no unknown key."""
    for value in found:
        for version in KUBERNETES:
            if value["kind"] not in FOREIGN:
                kubernetes_validate.validate(value, version, strict=True)
    return found


# It would read a file of 2 MB for every object.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


def expanded(text: str) -> str:
    """What Kubernetes makes of an argument where no variable has the name: $$ is $, $(NAME) stays."""
    return re.sub(r"\$\$|\$\([^)]*\)", lambda match: "$" if match[0] == "$$" else f"<expanded {match[0]}>", text)


def server(found: list[dict]) -> dict:
    (container,) = of_kind(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    return container


def test_every_published_file_renders_to_valid_objects(helm, tree):
    paths = sorted((tree / "values").rglob("*.yaml"))
    assert len(paths) == 10
    schema = json.loads((ROOT / "docs" / "schemas" / "helmfile_values.schema.json").read_text(encoding="utf-8"))
    for path in paths:
        jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema)
        kinds = [value["kind"] for value in valid(helm.template(path))]
        assert sorted(kinds) == ["ConfigMap", "Deployment", "PersistentVolumeClaim", "Pod", "Service"], path


@pytest.mark.parametrize("path", SEEDS)
def test_lint_has_nothing_to_say(helm, tree, path):
    helm.helmfile("lint", values=(tree / "values" / "deepseek-v3-1" / path,))


@pytest.mark.parametrize("path", SEEDS)
def test_helm_4_renders_the_same(helm, tree, tmp_path, path):
    values = yaml.safe_load((tree / "values" / "deepseek-v3-1" / path).read_text(encoding="utf-8"))["llamaServer"]
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert objects(helm.chart(file, "helm4").stdout) == objects(helm.chart(file, "helm").stdout)


def test_the_command_of_the_pages_reads_from_a_web_server(helm, web, kubernetes):
    """As on the page: helmfile --state-values-file <(curl -s URL) …; with a stand-in for the cluster."""
    for path in SEEDS:
        source = f"--state-values-file <(curl -s {web}/values/deepseek-v3-1/{path})"
        assert valid(objects(helm.shell(f"helmfile {source} template").stdout))
    helm.shell(f"helmfile {source} sync", kubeconfig=kubernetes.kubeconfig_path)
    (deployment,) = kubernetes.of_kind("deployments")
    assert deployment["metadata"]["name"] == "deepseek-v3-1-q4-k-m"
    assert kubernetes.of_kind("namespaces")[0]["metadata"]["name"] == "llama-server"


def test_the_values_of_the_chart_are_those_of_its_types():
    assert yaml.safe_load((FILES / "chart" / "values.yaml").read_text(encoding="utf-8")) == ChartValues().plain()


def test_everything_that_can_be_switched_on(helm, seed, override):
    file = override(
        auth={"existingSecret": "keys", "key": "list"},
        hubToken={"existingSecret": "hub"},
        podMonitor={"enabled": True, "labels": {"release": "prometheus"}, "key": "one"},
        ingress={
            "enabled": True,
            "className": "nginx",
            "annotations": {"cert-manager.io/cluster-issuer": "le"},
            "hosts": {"chat.example.org": {"tlsSecret": "tls"}, "*.example.net": {"path": "/v1"}},
        },
        imagePullSecrets=[{"name": "pull"}],
        image={"digest": "sha256:" + "0" * 64},
        nodeSelector={"kubernetes.io/arch": "amd64"},
        runtimeClassName="nvidia",
        priorityClassName="high",
        serviceAccountName="llama",
        env={"HTTPS_PROXY": "http://proxy:3128", "COUNT": 1},
        service={"annotations": {"a": "b"}, "type": "NodePort"},
        podLabels={"team": "ai"},
        podAnnotations={"n": 1, "y": "no"},
    )
    found = valid(helm.template(seed, file))
    rules = of_kind(found, "Ingress")["spec"]
    assert [rule["host"] for rule in rules["rules"]] == ["*.example.net", "chat.example.org"]
    assert rules["tls"] == [{"hosts": ["chat.example.org"], "secretName": "tls"}]
    (endpoint,) = of_kind(found, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "keys", "key": "one"}
    assert _after(server(found)["args"], "--api-key-file") == ["--api-key-file", "/secrets/auth/api-keys"]
    assert server(found)["image"] == "ghcr.io/ggml-org/llama.cpp@sha256:" + "0" * 64
    spec = of_kind(found, "Deployment")["spec"]["template"]["spec"]
    assert spec["runtimeClassName"] == "nvidia"
    hub = [volume for volume in spec["volumes"] if volume["name"] == "hub-token"]
    assert hub[0]["secret"]["items"] == [{"key": "token", "path": "token"}]
    assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in spec["initContainers"][0]["env"]


@pytest.mark.parametrize(
    ("persistence", "volume"),
    [
        ({"existingClaim": "models"}, {"persistentVolumeClaim": {"claimName": "models"}}),
        ({"hostPath": "/srv/models"}, {"hostPath": {"path": "/srv/models", "type": "DirectoryOrCreate"}}),
        ({"enabled": False}, {"emptyDir": {"sizeLimit": "315Gi"}}),
    ],
)
def test_where_the_model_is_kept(helm, seed, override, persistence, volume):
    found = valid(helm.template(seed, override(persistence=persistence)))
    volumes = of_kind(found, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "models", **volume} in volumes
    assert "PersistentVolumeClaim" not in {value["kind"] for value in found}


def test_a_file_that_is_there_is_not_downloaded(helm, seed, override):
    found = valid(helm.template(seed, override(model={"path": "/models/a b.gguf"})))
    assert "initContainers" not in of_kind(found, "Deployment")["spec"]["template"]["spec"]
    assert server(found)["command"] == ["/app/llama-server"]
    assert _after(server(found)["args"], "--model") == ["--model", "/models/a b.gguf"]


def test_the_download_outlives_the_release(helm, seed):
    claim = of_kind(helm.template(seed), "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_nothing_runs_with_more_than_it_needs(helm, seed):
    found = helm.template(seed)
    pods = [of_kind(found, "Deployment")["spec"]["template"]["spec"], of_kind(found, "Pod")["spec"]]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
    (models,) = [mount for mount in server(found)["volumeMounts"] if mount["mountPath"] == "/models"]
    assert models["readOnly"] is True


def test_nothing_restarts_a_server_that_loads(helm, seed):
    container = server(helm.template(seed))
    startup = container["startupProbe"]
    # 297.3 GiB at 100 MB/s
    assert startup["periodSeconds"] * startup["failureThreshold"] > 3192
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": "http"}


def test_maps_merge_and_null_takes_out(helm, seed, override):
    file = override(
        args={"ctx-size": 1048576, "metrics": False, "fit": None, "temp": 0.5},
        nodeRequirements={"nvidia.com/cuda.driver-version.major": None, "zone": {"In": ["a", "b"]}},
        tolerations={"spot": {"key": "spot", "operator": "Exists"}},
    )
    found = valid(helm.template(seed, file))
    args = server(found)["args"]
    assert _after(args, "--ctx-size") == ["--ctx-size", "1048576"]
    assert _after(args, "--temp") == ["--temp", "0.5"]
    assert not {"--metrics", "--fit"} & set(args) and "--n-cpu-moe" in args
    spec = of_kind(found, "Deployment")["spec"]["template"]["spec"]
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    labels = {term["key"]: term for term in terms[0]["matchExpressions"]}
    assert "nvidia.com/cuda.driver-version.major" not in labels
    assert labels["zone"] == {"key": "zone", "operator": "In", "values": ["a", "b"]}
    assert labels["nvidia.com/gpu.compute.major"]["values"] == ["6"]
    assert len(spec["tolerations"]) == 2


WHOLE = {"image": {"tag": "server"}, "model": {"path": "/models/x.gguf"}}
HOSTILE = [
    '{{ .Values.auth }}{{ fail "x" }}',
    "{% raw %}`backtick`",
    "$(MODEL_FOLDER) $$(HOME) $HOME ${HOME} $",
    "a: b\n- c # d\n---\nkind: Secret",
    "'\"\\\t\u2028é\U0001f600<&>",
    "; rm -rf / #",
    "null",
    "1e3",
    "--model",
]


@pytest.fixture(scope="module")
def harmless(helm, seed, tmp_path_factory):
    """What is rendered where no text is hostile."""
    file = tmp_path_factory.mktemp("harmless") / "override.yaml"
    file.write_text("llamaServer: {podMonitor: {enabled: true}, persistence: {hostPath: /x}}", encoding="utf-8")
    return helm.template(seed, file)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_arrives_as_it_is_and_is_nothing_more(helm, seed, override, harmless, text):
    file = override(
        model={"alias": text},
        args={"chat-template": text},
        env={"WORDS": text},
        podAnnotations={"words": text},
        podMonitor={"labels": {"words": text}, "enabled": True},
        persistence={"hostPath": f"/{text}"},
        image={"program": text},
    )
    found = helm.template(seed, file)
    assert [value["kind"] for value in found] == [value["kind"] for value in harmless]
    container = server(found)
    assert expanded(_after(container["args"], "--alias")[1]) == text
    assert expanded(_after(container["args"], "--chat-template")[1]) == text
    assert len(container["args"]) == len(server(harmless)["args"]) + 2
    assert expanded(container["command"][-1]) == text
    (word,) = [entry["value"] for entry in container["env"] if entry["name"] == "WORDS"]
    assert expanded(word) == text
    template = of_kind(found, "Deployment")["spec"]["template"]
    assert template["metadata"]["annotations"]["words"] == text
    assert template["spec"]["volumes"][0]["hostPath"]["path"] == f"/{text}"
    assert of_kind(found, "PodMonitor")["metadata"]["labels"]["words"] == text


@pytest.mark.parametrize("program", ["helm", "helm4"])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicaCount": "two"}, "replicaCount"),
        ({"bogus": 1}, "bogus"),
        ({"args": {"model": "/x.gguf"}}, "args"),
        ({"args": {"--ctx-size": 1}}, "args"),
        ({"args": {"device": ["CUDA0"]}}, "args"),
        ({"model": {"files": {"../x.gguf": {"sha256": "0" * 64}}}}, "files"),
        ({"model": {"files": {"x.gguf": {"sha256": "abc"}}}}, "sha256"),
        ({"model": {"files": {"x.gguf": {}}}}, "sha256"),
        ({"model": {"repository": "a/b; true"}}, "repository"),
        ({"updateStrategy": {"type": "Blue"}}, "updateStrategy"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"service": {"port": 70000}}, "port"),
        ({"persistence": {"size": "lots"}}, "size"),
        ({"resources": {"limits": {"memory": "1 GB"}}}, "memory"),
    ],
)
def test_values_that_break_the_schema_are_refused(helm, tmp_path, program, values, said):
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({**WHOLE, **values}), encoding="utf-8")
    refused = helm.chart(file, program, check=False)
    assert refused.returncode != 0
    assert "schema" in refused.stderr and said in refused.stderr


@pytest.mark.parametrize("program", ["helm", "helm4"])
def test_without_them_they_are_not(helm, tmp_path, program):
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(WHOLE), encoding="utf-8")
    helm.chart(file, program)


def test_what_the_schema_cannot_know_is_said_in_words(helm, tmp_path):
    file = tmp_path / "values.yaml"
    file.write_text("image: {tag: server}", encoding="utf-8")
    assert "give repository and quant, or files, or the path" in helm.chart(file, check=False).stderr
    file.write_text("model: {path: /models/x.gguf}", encoding="utf-8")
    assert "image.tag: name a build" in helm.chart(file, check=False).stderr
    refused = helm.helmfile("template", check=False)
    assert "pass --state-values-file" in refused.stderr


def _after(words: list[str], option: str) -> list[str]:
    return words[words.index(option) :][:2]
