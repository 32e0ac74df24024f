# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a repository of the Hugging Face hub, by the hub's own client, which the Python that runs this must have."""

from __future__ import annotations

import importlib
import os
import re
import time
import typing as t

from .parts import FetchError, Part

_TRIES = 5
_PAUSE_SECONDS = 2.0


class HubSource:
    """`request`: `{repository, revision, quant or files, endpoint}`. The commit that the revision names now is kept to."""

    def __init__(self, request: dict[str, t.Any], token: str | None, staging: str) -> None:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ["HF_HOME"] = os.path.join(staging, ".cache", "home")
        if request.get("endpoint"):
            os.environ["HF_ENDPOINT"] = request["endpoint"]
        try:
            importlib.import_module("huggingface_hub.errors")
        except ImportError as missing:
            raise FetchError(f"the Python of the hub's client has no huggingface_hub: {missing}") from missing
        self._client = importlib.import_module("huggingface_hub")
        self._request = request
        self._token = token or False
        self._staging = staging
        self.commit: str | None = None

    def parts(self) -> list[Part]:
        info = self._asked(
            lambda: self._client.HfApi().model_info(
                self._request["repository"], revision=self._revision, files_metadata=True, token=self._token
            )
        )
        self.commit = info.sha
        files = {file.rfilename: file for file in info.siblings}
        chosen = self._request.get("files") or choose(list(files), self._request["quant"])
        missing = [name for name in chosen if name not in files]
        if missing:
            raise FetchError(f"{self._place} has no file {missing[0]}")
        return [Part(name, files[name].size, files[name].lfs.sha256 if files[name].lfs else None) for name in chosen]

    def fetch(self, part: Part, target: str) -> None:
        self._asked(
            lambda: self._client.hf_hub_download(
                self._request["repository"],
                part.path,
                revision=self.commit,
                local_dir=self._staging,
                token=self._token,
            )
        )

    @property
    def _revision(self) -> str:
        return self._request.get("revision") or "main"

    @property
    def _place(self) -> str:
        return f"{self._request['repository']} at {self._revision}"

    def _asked(self, call: t.Callable[[], t.Any]) -> t.Any:
        """Return what the client answers; a line that breaks is tried again, where the client goes on."""
        errors = self._client.errors
        for number in range(1, _TRIES + 1):
            try:
                return call()
            except errors.GatedRepoError as refusal:
                raise FetchError(f"{self._place} is gated: give a token that may read it") from refusal
            except errors.RepositoryNotFoundError as refusal:
                raise FetchError(
                    f"{self._place} does not exist, or is private: check its name, or give a token"
                ) from refusal
            except errors.RevisionNotFoundError as refusal:
                raise FetchError(f"{self._place}: there is no such revision") from refusal
            except errors.EntryNotFoundError as refusal:
                raise FetchError(f"{self._place}: a file is not there") from refusal
            except OSError as broken:
                if broken.errno is not None and broken.filename is not None:
                    raise  # of this disk, not of the line
                if number == _TRIES:
                    raise FetchError(f"{self._place} cannot be fetched: {type(broken).__name__}: {broken}") from broken
            except Exception as broken:  # the client's transport has exceptions of its own
                if number == _TRIES:
                    raise FetchError(f"{self._place} cannot be fetched: {type(broken).__name__}: {broken}") from broken
            time.sleep(_PAUSE_SECONDS * number)
        raise AssertionError


def choose(names: t.Sequence[str], quant: str) -> list[str]:
    """Return the files of the one model in a repository that has this quant, all parts of it in order.

    The quant is a word of its own in the path (`Q4_K_M` is not in `UD-Q4_K_M_X`, and a folder may be named by it).

    :raises FetchError: none has it, or several models do.
    """
    word = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(quant)}(?![A-Za-z0-9_])", re.IGNORECASE)
    models: dict[str, list[str]] = {}
    for name in sorted(names):
        base = name.rpartition("/")[2]
        if name.endswith(".gguf") and not base.startswith("mmproj") and word.search(name):
            models.setdefault(re.sub(r"-\d{5}-of-\d{5}(?=\.gguf$)", "", name), []).append(name)
    if not models:
        known = [name for name in sorted(names) if name.endswith(".gguf")]
        there = f"it has {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}" if known else "it has no GGUF file"
        raise FetchError(f"no GGUF file of the repository is named by the quant {quant}; {there}")
    if len(models) > 1:
        raise FetchError(
            f"several models of the repository have the quant {quant}: {', '.join(models)}; name the files"
        )
    return next(iter(models.values()))
