# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`helmfile_values`: the state values of a release, and within them the values of the chart llama-server.

Names and types here are the chart's; its values.schema.json is written from `ChartValues`. Where people override there are
maps, since helmfile and Helm merge maps and replace lists; null takes an entry out of a map.
"""

from __future__ import annotations

import typing as t

from .._pydantic import ConfigDict, Field
from .base import Contract

# What the chart decides itself, and what would show a secret in the process list.
RESERVED_ARGS = ("model", "host", "port", "alias", "api-key", "api-key-file", "hf-token")

Sha256 = t.Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Repository = t.Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)?$")]
Revision = t.Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
QuantLabel = t.Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")]
# Below the folder of the model, and one word for a shell
FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_+-]*([./][A-Za-z0-9_+-]+)*\.gguf$"
FileName = t.Annotated[str, Field(pattern=FILE_NAME)]
Url = t.Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
ObjectName = t.Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
ReleaseName = t.Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=53)]
NamespaceName = t.Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Quantity = t.Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$")]
Scalar = str | int | float | bool | None
Seconds = t.Annotated[int, Field(gt=0)]
Free = dict[str, t.Any]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _keys(pattern: str, but: tuple[str, ...] = ()) -> t.Any:
    """Return a field of a map, empty by default, whose keys follow a pattern; `but` are keys that are refused.

    Not by `propertyNames`: Helm 4 tells a wrong place for what breaks those.
    """

    def shaped(schema: dict[str, t.Any]) -> None:
        values = schema.pop("additionalProperties", None)
        schema.setdefault("patternProperties", {pattern: values})
        schema["additionalProperties"] = False
        if but:
            schema["properties"] = dict.fromkeys(but, False)

    return Field(default={}, json_schema_extra=shaped)


class Values(Contract):
    """Base of all: keys are camelCase, as in other charts."""

    model_config = ConfigDict(alias_generator=_camel)


class Image(Values):
    """The container image. `digest` wins over `tag`; `program` is llama-server's path in it."""

    repository: str = Field(default="ghcr.io/ggml-org/llama.cpp", min_length=1)
    tag: str = Field(default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$")
    digest: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$")
    pull_policy: t.Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    program: str = "/app/llama-server"


class ModelFile(Values):
    """One file: its checksum, and where it comes from if that is not the repository."""

    sha256: Sha256
    url: Url | None = None


class ServedModel(Values):
    """What is downloaded and served.

    `files` by name in the repository; without them those of the wanted `quant` are looked up there. `path`: a file that is
    on the volume already; nothing is downloaded then. `alias` is the name that clients see.
    """

    endpoint: Url = "https://huggingface.co"
    repository: Repository = ""
    revision: Revision = "main"
    quant: QuantLabel = ""
    files: dict[FileName, ModelFile] = _keys(FILE_NAME)
    path: str = Field(default="", pattern=r"^(/|$)")
    alias: str = ""


class Resources(Values):
    """Kubernetes' requests and limits of a container."""

    requests: dict[str, Quantity | int | None] = {}
    limits: dict[str, Quantity | int | None] = {}


class Secret(Values):
    """A key of a secret that exists; nothing secret is written into values."""

    existing_secret: ObjectName = ""
    key: str = Field(pattern=r"^[-._a-zA-Z0-9]+$")


class Auth(Secret):
    """API keys of the server, one on a line."""

    key: str = Field(default="api-keys", pattern=r"^[-._a-zA-Z0-9]+$")


class HubToken(Secret):
    """The token for models that the hub gives to known accounts only."""

    key: str = Field(default="token", pattern=r"^[-._a-zA-Z0-9]+$")


class Persistence(Values):
    """Where the model is kept: a new claim, one that exists, or a folder of the node; not enabled: the pod's own storage."""

    enabled: bool = True
    existing_claim: ObjectName = ""
    host_path: str = Field(default="", pattern=r"^(/|$)")
    storage_class: str = ""
    access_mode: t.Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    size: Quantity = "100Gi"
    keep: bool = True


class Probe(Values):
    """A probe of /health."""

    model_config = ConfigDict(extra="allow")

    period_seconds: Seconds = 10
    timeout_seconds: Seconds = 5
    failure_threshold: Seconds = 3


class StartupProbe(Probe):
    """The time that loading may take: period times threshold."""

    failure_threshold: Seconds = 360


class LivenessProbe(Probe):
    """Says that the server is stuck; begins when it has started."""

    period_seconds: Seconds = 15
    failure_threshold: Seconds = 8


class UpdateStrategy(Values):
    """How pods are replaced."""

    model_config = ConfigDict(extra="allow")

    type: t.Literal["Recreate", "RollingUpdate"] = "Recreate"


class Service(Values):
    """The service before the pod."""

    type: t.Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    port: int = Field(default=8080, ge=1, le=65535)
    annotations: dict[str, str | None] = {}


class IngressHost(Values):
    """One host name of the ingress."""

    path: str = Field(default="/", pattern="^/")
    tls_secret: ObjectName = ""


class Ingress(Values):
    """The way in from outside the cluster, by host name."""

    enabled: bool = False
    class_name: str = ""
    annotations: dict[str, str | None] = {}
    hosts: dict[str, IngressHost | None] = _keys(r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")


class PodMonitor(Values):
    """Prometheus' operator reads /metrics. `key`: the one of `auth.existingSecret` that holds a single API key."""

    enabled: bool = False
    interval: str = Field(default="30s", pattern=r"^([0-9]+(ms|s|m|h))+$")
    labels: dict[str, str | None] = {}
    key: str = ""


Rule = dict[t.Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"], str | int | bool | list[str] | None]


class ChartValues(Values):
    """Values of the chart llama-server; what is absent has the chart's own default."""

    image: Image = Image()
    image_pull_secrets: list[dict[str, str]] = []
    model: ServedModel = ServedModel()
    args: dict[str, Scalar] = _keys(r"^[a-z0-9]+(-[a-z0-9.]+)*$", RESERVED_ARGS)
    env: dict[str, Scalar] = _keys(r"^[A-Za-z_][A-Za-z0-9_]*$")
    resources: Resources = Resources()
    fetch_resources: Resources = Resources(requests={"cpu": "100m", "memory": "64Mi"})
    runtime_class_name: ObjectName = ""
    node_requirements: dict[str, Rule | None] = {}
    node_selector: dict[str, str | None] = {}
    tolerations: dict[str, Free | None] = {}
    priority_class_name: ObjectName = ""
    service_account_name: ObjectName = ""
    persistence: Persistence = Persistence()
    startup_probe: StartupProbe | None = StartupProbe()
    liveness_probe: LivenessProbe | None = LivenessProbe()
    readiness_probe: Probe | None = Probe()
    progress_deadline_seconds: Seconds = 3600
    termination_grace_period_seconds: int = Field(default=60, ge=0)
    replica_count: int = Field(default=1, ge=0)
    update_strategy: UpdateStrategy = UpdateStrategy()
    service: Service = Service()
    ingress: Ingress = Ingress()
    auth: Auth = Auth()
    hub_token: HubToken = HubToken()
    pod_monitor: PodMonitor = PodMonitor()
    pod_labels: dict[str, Scalar] = {}
    pod_annotations: dict[str, Scalar] = {}
    pod_security_context: Free = {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    security_context: Free = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


class Release(Values):
    """The release that helmfile makes. It returns when the model answers, download and all, or after `waitSeconds`."""

    name: ReleaseName = "llama-server"
    namespace: NamespaceName = "llama-server"
    wait: bool = True
    wait_seconds: Seconds = 3600


class HelmfileValues(Values):
    """The state values that helmfile.yaml.gotmpl takes."""

    release: Release = Release()
    llama_server: ChartValues = ChartValues()
