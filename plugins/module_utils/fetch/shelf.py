# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where models lie on a host, and how a job brings one there.

`DIRECTORY/NAME/KEY/` holds the files of a model as one request brought them, with what they were checked against in
`.manifest.json`. KEY stands for the request, so that another request has another folder and a model in use is never replaced.
`DIRECTORY/.jobs/KEY/` and `DIRECTORY/.staging/KEY/` are there as long as the model has not arrived. Several runs may share a
shelf: `DIRECTORY/.lock` is held by the one that starts a job, or lets count what one has brought.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import io
import json
import os
import shutil
import sys
import time
import types
import typing as t
import zipfile

from .. import bounded
from . import hub, job, mirror, parts, path, quantize

_PROGRAM: tuple[types.ModuleType, ...] = (bounded, parts, mirror, path, hub, quantize, job)
_START_SECONDS = 60.0
_BEGIN_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_URLS = ("url", "endpoint")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")


class ShelfError(Exception):
    """The job could not be started; the text is one sentence."""


class Shelf:
    """The place of one requested model. `request` is what tells it from others: its kind and source, no secrets."""

    def __init__(self, directory: str, name: str, request: dict[str, t.Any]) -> None:
        self.key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:12]
        self._directory = directory
        self.model = os.path.join(directory, name)
        self.final = os.path.join(self.model, self.key)
        self.staging = os.path.join(directory, ".staging", self.key)
        self.job = os.path.join(directory, ".jobs", self.key)
        self._request = request

    def manifest(self) -> dict[str, t.Any] | None:
        """Return what has arrived and been checked, None when it has not, or when a file of it has changed its size."""
        manifest = _json(os.path.join(self.final, ".manifest.json"))
        for file in (manifest or {}).get("files", ()):
            try:
                if os.stat(os.path.join(self.final, file["path"])).st_size != file["size_bytes"]:
                    return None
            except OSError:
                return None
        return manifest

    def status(self) -> dict[str, t.Any]:
        """Return what the job says of itself, with `runs`; one that has ended without a word has failed."""
        told = _json(os.path.join(self.job, "status.json")) or {"phase": "starting", "bytes": 0, "total_bytes": None}
        told["runs"] = self._is_running()
        if not told["runs"] and told["phase"] not in ("failed", "arrived"):
            # It may have ended between the two looks
            told = {**(_json(os.path.join(self.job, "status.json")) or told), "runs": False}
            if told["phase"] not in ("failed", "arrived"):
                told.update(phase="failed", error="the job was ended from outside; the next run goes on where it was")
        return told

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Keep others off while a job is started or what it brought is accepted; look again at what is there, once alone."""
        os.makedirs(self._directory, exist_ok=True)
        # Never removed: another run could hold the file that was
        with open(os.path.join(self._directory, ".lock"), "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def start(self, python: str, token: str | None, reserve_bytes: int, as_unit: bool) -> None:
        """Start the job, as a unit of systemd or as a process of its own; one that runs is left to itself.

        Returns when it has begun, so that the next run sees that it does.

        :raises ShelfError: it could not be started.
        """
        if self._is_running():
            return
        os.makedirs(self.job, mode=0o700, exist_ok=True)
        _write(os.path.join(self.job, "job.pyz"), _program())
        request = {**self._request, "staging": self.staging, "reserve_bytes": reserve_bytes}
        _write(os.path.join(self.job, "request.json"), json.dumps(request).encode())
        if token:
            _write(os.path.join(self.job, "token"), token.encode())
        # What an earlier run said is not about this one
        _write(os.path.join(self.job, "status.json"), b'{"phase": "starting", "bytes": 0, "total_bytes": null}')
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.job, "lock"))
        argv = [python, os.path.join(self.job, "job.pyz"), self.job]
        try:
            (self._start_unit if as_unit else self._start_process)(argv)
            self._await()
        except ShelfError:
            # Nobody will read the token and remove it
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.job, "token"))
            raise

    def accept(self, manifest: dict[str, t.Any]) -> None:
        """Let what lies in staging count: its files get their place at once, all or none.

        All may read the manifest, which has the request without what may be secret in its URLs; the folder is named for it.
        """
        told = json.dumps({**manifest, "request": _shown(self._request)}, indent=2, sort_keys=True)
        _write(os.path.join(self.staging, ".manifest.json"), told.encode(), 0o644)
        os.makedirs(self.model, exist_ok=True)
        if os.path.isdir(self.final):
            # Its manifest does not hold any more
            shutil.rmtree(self.final)
        os.rename(self.staging, self.final)
        shutil.rmtree(self.job, ignore_errors=True)

    def discard(self) -> None:
        """Forget what lies in staging, so that the next run fetches it anew."""
        shutil.rmtree(self.staging, ignore_errors=True)
        shutil.rmtree(self.job, ignore_errors=True)

    def others(self) -> list[str]:
        """Return the folders of the same name that other requests brought, sorted."""
        found = glob.glob(os.path.join(glob.escape(self.model), "*", ""))
        return sorted(folder.rstrip("/") for folder in found if folder.rstrip("/") != self.final)

    def _await(self) -> None:
        deadline = time.monotonic() + _BEGIN_SECONDS
        told = os.path.join(self.job, "status.json")
        while not self._is_running() and (_json(told) or {}).get("phase") == "starting":
            if time.monotonic() >= deadline:
                raise ShelfError(f"the job did not begin within {_BEGIN_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)

    def _is_running(self) -> bool:
        try:
            with open(os.path.join(self.job, "lock"), encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _start_unit(self, argv: list[str]) -> None:
        settings = ["Type=exec", "Nice=10", "IOSchedulingClass=idle", "NoNewPrivileges=yes", "ProtectSystem=strict"]
        settings += ["PrivateTmp=yes", "UMask=0022"]
        settings += [f"ReadWritePaths={systemd_path(path)}" for path in self._writes()]
        environment = [f"--setenv={name}" for name in _PROXIES if os.environ.get(name)]
        unit = f"prositronic-fetch-{self.key}"
        command = ["--quiet", "--collect", f"--unit={unit}", "--description=fetch a model", *environment]
        command += [f"--property={setting}" for setting in settings]
        program = shutil.which("systemd-run")
        if program is None:
            raise ShelfError("this host has no systemd-run: set the runner to process")
        try:
            done = bounded.run([program, *command, "--", *argv], _START_SECONDS)
        except bounded.Broken as problem:
            raise ShelfError(f"systemd-run {problem}") from problem
        if done.status:
            raise ShelfError(f"systemd-run could not start the job: {done.text}")

    def _writes(self) -> list[str]:
        """Return the folders in which the job changes something."""
        source = self._request["source"]
        moved = source.get("method") == "move"
        return [os.path.dirname(os.path.dirname(self.job)), *([os.path.dirname(source["path"])] if moved else [])]

    def _start_process(self, argv: list[str]) -> None:
        try:
            done = bounded.run([*argv, "detach"], _START_SECONDS)
        except bounded.Broken as problem:
            raise ShelfError(f"{argv[0]} {problem}") from problem
        if done.status:
            raise ShelfError(f"{argv[0]} could not start the job: {done.text}")


def model_file(manifest: dict[str, t.Any]) -> str:
    """Return the path of the file to load, below the folder: the only one, or the first part."""
    return min(file["path"] for file in manifest["files"])


def in_use(folders: t.Sequence[str], state_folder: str) -> dict[str, str]:
    """Return `{folder: name of an instance}` for those folders out of which an instance is served."""
    served = {}
    for record in sorted(glob.glob(os.path.join(glob.escape(state_folder), "instances", "*.json"))):
        for file in _served(_json(record) or {}):
            served[os.path.realpath(file)] = os.path.basename(record)[: -len(".json")]
    used = {}
    for folder in folders:
        for place, _folders, names in os.walk(folder):
            for name in names:
                instance = served.get(os.path.realpath(os.path.join(place, name)))
                if instance is not None:
                    used[folder] = instance
    return used


def _served(record: dict[str, t.Any]) -> t.Iterator[str]:
    """Yield the files that an instance reads, of a router those of all its models: model and projector."""
    models = record.get("models")
    for model in (record, *(models.values() if isinstance(models, dict) else ())):
        if not isinstance(model, dict):
            continue
        launch = model.get("launch")
        projector = launch.get("mmproj") if isinstance(launch, dict) else None
        yield from (path for path in (model.get("model"), projector) if isinstance(path, str))


def systemd_path(path: str) -> str:
    """Return a path as a setting of systemd holds it."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _shown(value: t.Any) -> t.Any:
    """Return a request with its URLs as people may see them."""
    if isinstance(value, dict):
        return {
            key: mirror.shown(each) if key in _URLS and isinstance(each, str) else _shown(each)
            for key, each in value.items()
        }
    return [_shown(each) for each in value] if isinstance(value, list) else value


def _program() -> bytes:
    """Return the job as a program in one file, made of the source of these modules as they run here."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("program/__init__.py", "")
        archive.writestr("program/fetch/__init__.py", "")
        archive.writestr(
            "__main__.py", "import sys\nfrom program.fetch.job import main\nsys.exit(main(*sys.argv[1:]))\n"
        )
        for module in _PROGRAM:
            loader: t.Any = module.__loader__
            place = module.__name__.partition(".module_utils.")[2].replace(".", "/")
            archive.writestr(f"program/{place}.py", loader.get_source(module.__name__))
    return packed.getvalue()


def _json(path: str) -> dict[str, t.Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _write(path: str, data: bytes, mode: int = 0o600) -> None:
    handle = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
    os.replace(f"{path}.new", path)


def default_python() -> str:
    """Return the Python that runs this, which has what a job without the hub needs."""
    return sys.executable
