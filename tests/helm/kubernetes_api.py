# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for a Kubernetes API server: enough of it for helm and helmfile to install, upgrade, look and test.

It stores objects and answers by the API's own rules (discovery, create, replace, patch, label selectors), and it plays the
controllers: a Deployment is rolled out at once, a pod that is a test succeeds. It validates nothing; what it is given can be
looked at in `objects`.
"""

from __future__ import annotations

import copy
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RESOURCES = {
    "v1": {
        "namespaces": ("Namespace", False),
        "secrets": ("Secret", True),
        "configmaps": ("ConfigMap", True),
        "services": ("Service", True),
        "persistentvolumeclaims": ("PersistentVolumeClaim", True),
        "pods": ("Pod", True),
        "events": ("Event", True),
    },
    "apps/v1": {"deployments": ("Deployment", True), "replicasets": ("ReplicaSet", True)},
    "networking.k8s.io/v1": {"ingresses": ("Ingress", True)},
    "monitoring.coreos.com/v1": {"podmonitors": ("PodMonitor", True)},
}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


class KubernetesApi(ThreadingHTTPServer):
    """Serves on the loopback until it is closed. `objects` is `{(namespace, resource, name): object}`, `log` what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[tuple[str, str, str], dict] = {}
        self.log: list[str] = []
        self.version = 1
        self.lock = threading.RLock()
        self.pod_log = '{"choices":[{"message":{"content":"yes"}}]}\n'
        self.test_phase = "Succeeded"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def kubeconfig(self) -> str:
        server = f"http://127.0.0.1:{self.server_address[1]}"
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )

    def of_kind(self, resource: str) -> list[dict]:
        return [value for (_namespace, kind, _name), value in self.objects.items() if kind == resource]

    def store(self, namespace: str, resource: str, value: dict) -> dict:
        with self.lock:
            self.version += 1
            name = value["metadata"]["name"]
            metadata = value["metadata"]
            metadata.setdefault("uid", f"uid-{self.version}")
            metadata["resourceVersion"] = str(self.version)
            metadata.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
            if namespace:
                metadata["namespace"] = namespace
            self.objects[namespace, resource, name] = value
            getattr(self, f"_play_{resource}", lambda *_: None)(namespace, value)
            return value

    def _play_deployments(self, namespace: str, value: dict) -> None:
        replicas = value["spec"].get("replicas", 1)
        value["metadata"]["generation"] = self.version
        value["status"] = {
            "observedGeneration": self.version,
            **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas),
        }
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True, "blockOwnerDeletion": True}
        owner |= {"name": value["metadata"]["name"], "uid": value["metadata"]["uid"]}
        template = copy.deepcopy(value["spec"]["template"])
        self.store(
            namespace,
            "replicasets",
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{value['metadata']['name']}-1",
                    "labels": template["metadata"]["labels"],
                    "ownerReferences": [owner],
                },
                "spec": {"replicas": replicas, "selector": value["spec"]["selector"], "template": template},
                "status": {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas},
            },
        )

    def _play_persistentvolumeclaims(self, _namespace: str, value: dict) -> None:
        value["status"] = {"phase": "Bound"}

    def _play_services(self, _namespace: str, value: dict) -> None:
        value["spec"].setdefault("clusterIP", "10.0.0.1")

    def _play_pods(self, _namespace: str, value: dict) -> None:
        value["status"] = {"phase": self.test_phase}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: KubernetesApi

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: int, reason: str, name: str = "") -> None:
        details = {"name": name}
        self._answer(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "reason": reason,
                "code": status,
                "details": details,
            }
            | {"message": f'"{name}" {reason}', "metadata": {}},
            status,
        )

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.server.log.append(f"{self.command} {self.path}")
        parts = url.path.strip("/").split("/")
        if url.path == "/version":
            return self._answer({"major": "1", "minor": "31", "gitVersion": "v1.31.0"})
        if parts == ["api"]:
            return self._answer({"kind": "APIVersions", "versions": ["v1"]})
        if parts == ["apis"]:
            groups = [api.split("/") for api in RESOURCES if "/" in api]
            versions = [{"groupVersion": f"{group}/{version}", "version": version} for group, version in groups]
            named = zip(groups, versions, strict=True)
            return self._answer(
                {
                    "kind": "APIGroupList",
                    "apiVersion": "v1",
                    "groups": [{"name": g[0], "versions": [v], "preferredVersion": v} for g, v in named],
                }
            )
        if parts[0] == "openapi":
            return self._openapi(parts)
        if parts[0] not in ("api", "apis"):
            return self._refuse(404, "NotFound")
        size = 2 if parts[0] == "api" else 3
        return self._resources("/".join(parts[1:size]), parts[size:], query, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _openapi(self, parts: list[str]) -> None:
        """Say that the server validates fields itself, so that clients need not."""
        if parts[1:] == ["v3"]:
            names = ["api/v1" if api == "v1" else f"apis/{api}" for api in RESOURCES]
            return self._answer(
                {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash=1"} for name in names}}
            )
        api = "/".join(parts[3:])
        group, _slash, version = api.rpartition("/")
        paths = {
            f"/{resource}": {
                "patch": {
                    "parameters": [{"name": "fieldValidation", "in": "query"}],
                    "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
                }
            }
            for resource, (kind, _namespaced) in RESOURCES.get(api, {}).items()
        }
        return self._answer({"openapi": "3.0.0", "info": {"title": "k", "version": "1"}, "paths": paths})

    def _resources(self, api: str, rest: list[str], query: dict, body: bytes) -> None:
        if api not in RESOURCES:
            return self._refuse(404, "NotFound")
        if not rest:
            kinds = [
                {"name": name, "kind": kind, "namespaced": namespaced, "singularName": kind.lower(), "verbs": VERBS}
                for name, (kind, namespaced) in RESOURCES[api].items()
            ]
            return self._answer({"kind": "APIResourceList", "groupVersion": api, "resources": kinds})
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource, name = rest[0], rest[1] if len(rest) > 1 else ""
        if resource not in RESOURCES[api]:
            return self._refuse(404, "NotFound", resource)
        if rest[2:] == ["log"]:
            data = self.server.pod_log.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return None
        with self.server.lock:
            return self._object(api, namespace, resource, name, query, body)

    def _object(self, api: str, namespace: str, resource: str, name: str, query: dict, body: bytes) -> None:
        key = (namespace, resource, name)
        objects = self.server.objects
        if self.command == "POST":
            value = json.loads(body)
            if (namespace, resource, value["metadata"]["name"]) in objects:
                return self._refuse(409, "AlreadyExists", value["metadata"]["name"])
            return self._answer(self.server.store(namespace, resource, value), 201)
        if not name:
            return self._listed(api, namespace, resource, query)
        if key not in objects:
            return self._refuse(404, "NotFound", name)
        if self.command == "DELETE":
            objects.pop(key)
            return self._answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        if self.command == "PUT":
            return self._answer(self.server.store(namespace, resource, json.loads(body)))
        if self.command == "PATCH":
            return self._answer(self.server.store(namespace, resource, _merged(objects[key], json.loads(body))))
        return self._answer(objects[key])

    def _listed(self, api: str, namespace: str, resource: str, query: dict) -> None:
        kind = RESOURCES[api][resource][0]
        found = [
            value
            for (where, what, name), value in self.server.objects.items()
            if what == resource
            and where == (namespace or where)
            and _selected(value, query.get("labelSelector", ""))
            and query.get("fieldSelector", f"metadata.name={name}") == f"metadata.name={name}"
        ]
        if query.get("watch"):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            for value in found:
                self.wfile.write(json.dumps({"type": "MODIFIED", "object": value}).encode() + b"\n")
            self.close_connection = True
            return None
        metadata = {"resourceVersion": str(self.server.version)}
        return self._answer({"kind": f"{kind}List", "apiVersion": api, "metadata": metadata, "items": found})


def _selected(value: dict, selector: str) -> bool:
    labels = value["metadata"].get("labels") or {}
    for part in filter(None, selector.split(",")):
        name, _equals, wanted = part.partition("=")
        if labels.get(name) != wanted.removeprefix("="):
            return False
    return True


def _merged(old: object, patch: object) -> object:
    """RFC 7386; helm sends strategic patches for what it knows, and ours change no list in part."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result
