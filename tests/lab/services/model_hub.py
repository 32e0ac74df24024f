# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for a model hub: the calls that `huggingface_hub` makes to look a repository up and to download from it.

Files of 10 KiB and more are large files, as on the real hub: their ETag is the file's sha256 and the download is redirected
to a server of another origin, to which clients must not send their token. The ETag of small ones is git's blob id. Both
servers break as a FileServer does.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from ..errors import LabError
from .file_server import Answer, Content, FileServer, Request

LARGE_BYTES = 10 << 10


@dataclass
class Repository:
    """A model repository. revisions: {commit: {path: content}}; branches and tags point at a commit."""

    name: str
    token: str | None
    revisions: dict[str, dict[str, Content]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit_of(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a commit names."""
        named = self.branches.get(revision) or self.tags.get(revision)
        return named or (revision if revision in self.revisions else None)


class ModelHub(FileServer):
    """Give clients `HF_ENDPOINT=url`; `add` publishes a revision of a repository, `downloads` serves its large files."""

    def __init__(self, listening: socket.socket, downloads: FileServer) -> None:
        super().__init__(listening)
        self.downloads = downloads
        self._repositories: dict[str, Repository] = {}

    def add(
        self,
        repository: str,
        files: Mapping[str, bytes | str | Path],
        *,
        branch: str = "main",
        tag: str | None = None,
        token: str | None = None,
    ) -> str:
        """Make a commit that holds exactly `files` and point a branch at it; returns its id.

        token: downloads need it (a gated repository); everybody may still look it up.
        """
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise LabError(f"{repository!r} is no name of a model repository (OWNER/NAME)")
        kept = self._repositories.setdefault(repository, Repository(repository, token))
        contents = {path: Content.of(source) for path, source in sorted(files.items())}
        listed = [(repository, len(kept.revisions)), *((path, content.sha256) for path, content in contents.items())]
        commit = hashlib.sha1(json.dumps(listed).encode()).hexdigest()
        kept.revisions[commit] = contents
        kept.branches[branch] = commit
        kept.token = token
        if tag is not None:
            kept.tags[tag] = commit
        return commit

    def answer(self, request: Request) -> Answer:
        """Route a request; what is published by `publish` is served, too."""
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree|refs|paths-info)(?:/(.+?))?)?", request.path)
        if api:
            return self._api(request, api[1], api[2] or "revision", unquote(api[3] or "main"))
        if request.path == "/api/whoami-v2":
            return _refusal(HTTPStatus.UNAUTHORIZED, None, "Invalid username or password.")
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", request.path)
        if file:
            return self._resolve(request, file[1], unquote(file[2]), file[3])
        return super().answer(request)

    def _find(self, name: str, revision: str) -> tuple[Repository, str] | Answer:
        repository = self._repositories.get(name)
        if repository is None:
            # The real hub does not tell what does not exist from what one may not see
            return _refusal(HTTPStatus.UNAUTHORIZED, "RepoNotFound", "Repository not found")
        commit = repository.commit_of(revision)
        if commit is None:
            return _refusal(HTTPStatus.NOT_FOUND, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository, commit

    def _api(self, request: Request, name: str, call: str, revision: str) -> Answer:
        if call == "tree":
            revision = revision.split("/")[0]
        found = self._find(name, revision if call != "refs" else "main")
        if isinstance(found, Answer):
            return found
        repository, commit = found
        files = repository.revisions[commit]
        if call == "refs":
            refs = {
                "branches": [_ref("heads", *each) for each in sorted(repository.branches.items())],
                "tags": [_ref("tags", *each) for each in sorted(repository.tags.items())],
                "converts": [],
            }
            return _json(refs)
        if call in ("tree", "paths-info"):
            return _json([_tree_entry(path, content) for path, content in files.items()])
        with_blobs = "blobs" in request.query
        return _json(
            {
                "_id": commit[:24],
                "id": name,
                "modelId": name,
                "author": name.partition("/")[0],
                "sha": commit,
                "private": False,
                "gated": "manual" if repository.token else False,
                "disabled": False,
                "tags": ["gguf"],
                "downloads": 0,
                "likes": 0,
                "siblings": [_sibling(path, content, with_blobs) for path, content in files.items()],
            }
        )

    def _resolve(self, request: Request, name: str, revision: str, path: str) -> Answer:
        found = self._find(name, revision)
        if isinstance(found, Answer):
            return found
        repository, commit = found
        headers = {"X-Repo-Commit": commit}
        if repository.token is not None and request.headers.get("authorization") != f"Bearer {repository.token}":
            return _refusal(HTTPStatus.UNAUTHORIZED, "GatedRepo", f"Access to model {name} is restricted.", headers)
        content = repository.revisions[commit].get(path)
        if content is None:
            return _refusal(HTTPStatus.NOT_FOUND, "EntryNotFound", "Entry not found", headers)
        if not _is_large(content):
            return Answer(headers={**headers, "ETag": f'"{_blob_id(content)}"'}, content=content)
        headers |= {
            "X-Linked-Etag": f'"{content.sha256}"',
            "X-Linked-Size": str(content.size_bytes),
            "Location": self.downloads.publish(f"/{content.sha256}", content),
        }
        return Answer(HTTPStatus.FOUND, headers)


def _is_large(content: Content) -> bool:
    return content.size_bytes >= LARGE_BYTES


def _blob_id(content: Content) -> str:
    """Git's id of a blob; that of a large file is the id of the pointer that git keeps in its place."""
    if _is_large(content):
        pointer = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{content.sha256}\nsize {content.size_bytes}\n"
        )
        data = pointer.encode()
    else:
        with content.open() as stream:
            data = stream.read()
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


def _sibling(path: str, content: Content, with_blobs: bool) -> dict[str, object]:
    entry: dict[str, object] = {"rfilename": path}
    if with_blobs:
        entry |= {"size": content.size_bytes, "blobId": _blob_id(content)}
        if _is_large(content):
            entry["lfs"] = {"sha256": content.sha256, "size": content.size_bytes, "pointerSize": 134}
    return entry


def _tree_entry(path: str, content: Content) -> dict[str, object]:
    entry: dict[str, object] = {"type": "file", "path": path, "size": content.size_bytes, "oid": _blob_id(content)}
    if _is_large(content):
        entry["lfs"] = {"oid": content.sha256, "size": content.size_bytes, "pointerSize": 134}
    return entry


def _ref(kind: str, name: str, commit: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}


def _json(value: object) -> Answer:
    return Answer(headers={"Content-Type": "application/json"}, content=Content.of(json.dumps(value)))


def _refusal(status: int, code: str | None, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    named = {"X-Error-Code": code} if code else {}
    return Answer(
        status, {**(headers or {}), **named, "X-Error-Message": message}, Content.of(json.dumps({"error": message}))
    )
