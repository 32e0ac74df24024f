# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in hub against the real huggingface_hub client: look-ups, downloads, resumed downloads, refusals.

The client runs in a process of its own in the lab's network, as a role's would on a host.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

LARGE = os.urandom(300_000)
FILES = {
    "README.md": "# A model\n",
    "config.json": '{"model_type": "llama"}',
    "model-Q4_K_M.gguf": LARGE,
    "sub/part.gguf": LARGE[::-1],
}


@pytest.fixture
def hub(module_lab):
    return module_lab.model_hub()


@pytest.fixture
def client(module_lab, hub, tmp_path):
    """Run lines of Python with huggingface_hub's names imported; returns what they printed as JSON."""

    def run(lines, *, token=None, must_pass=True):
        script = f"import json\nfrom huggingface_hub import *\nfrom huggingface_hub.errors import *\n{lines}"
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **({"HF_TOKEN": token} if token else {}),
        }
        done = subprocess.run(
            [*module_lab.enter, sys.executable, "-c", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_look_up(client, hub):
    commit = hub.add("maker/model", FILES, tag="v1")
    seen = client(
        "i = HfApi().model_info('maker/model', files_metadata=True)\n"
        "print(json.dumps([i.sha, {s.rfilename: [s.size, s.lfs.sha256 if s.lfs else None] for s in i.siblings}]))"
    )
    large = hashlib.sha256(LARGE).hexdigest()
    assert seen[0] == commit
    assert seen[1]["model-Q4_K_M.gguf"] == [300_000, large]
    assert seen[1]["config.json"] == [len(FILES["config.json"]), None]
    assert client("print(json.dumps(sorted(HfApi().list_repo_files('maker/model'))))") == sorted(FILES)
    tree = client(
        "print(json.dumps([[e.path, e.size] for e in HfApi().list_repo_tree('maker/model', recursive=True)]))"
    )
    assert ["sub/part.gguf", 300_000] in tree
    assert client("print(json.dumps([t.name for t in HfApi().list_repo_refs('maker/model').tags]))") == ["v1"]


def test_download_of_a_file_checks_out(client, hub):
    hub.add("maker/model", FILES)
    path = client("print(json.dumps(hf_hub_download('maker/model', 'model-Q4_K_M.gguf')))")
    assert digest(path) == hashlib.sha256(LARGE).hexdigest()
    # the client names blobs by the ETag it was told
    assert os.path.basename(os.path.realpath(path)) == hashlib.sha256(LARGE).hexdigest()


def test_an_old_revision_stays_there(client, hub):
    old = hub.add("maker/model", {"config.json": "old"}, tag="v1")
    hub.add("maker/model", {"config.json": "new"})
    read = "print(json.dumps(open(hf_hub_download('maker/model', 'config.json', revision={!r})).read()))"
    assert [client(read.format(revision)) for revision in ("main", "v1", old)] == ["new", "old", "old"]


def test_snapshot_takes_what_matches(client, hub, tmp_path):
    hub.add("maker/model", FILES)
    folder = tmp_path / "snapshot"
    client(f"print(json.dumps(snapshot_download('maker/model', local_dir={str(folder)!r}, allow_patterns=['*.gguf'])))")
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*.gguf")) == [
        "model-Q4_K_M.gguf",
        "sub/part.gguf",
    ]
    assert not (folder / "README.md").exists()


def test_a_broken_download_is_resumed(client, hub):
    body = os.urandom(24_000_000)  # the client writes, and can resume after, pieces of 10 MiB
    hub.add("maker/model", {"model.gguf": body})
    hub.downloads.fault(drop_after_bytes=16_000_000)
    path = client("print(json.dumps(hf_hub_download('maker/model', 'model.gguf')))")
    assert digest(path) == hashlib.sha256(body).hexdigest()
    first, second = hub.downloads.asked()
    assert (first.status, first.sent_bytes) == (200, 16_000_000)
    assert second.status == 206
    assert second.headers["range"] == f"bytes={len(body) - second.sent_bytes}-"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("hf_hub_download('maker/none', 'config.json')", "RepositoryNotFoundError"),
        ("hf_hub_download('maker/model', 'none.gguf')", "EntryNotFoundError"),
        ("hf_hub_download('maker/model', 'config.json', revision='none')", "RevisionNotFoundError"),
        ("hf_hub_download('maker/gated', 'config.json')", "GatedRepoError"),
        ("HfApi().model_info('maker/none')", "RepositoryNotFoundError"),
    ],
)
def test_refusals_are_those_of_the_real_hub(client, hub, call, error):
    hub.add("maker/model", FILES)
    hub.add("maker/gated", FILES, token="stand-in-token")
    assert (
        client(f"try:\n    {call}\n    print('null')\nexcept {error} as e:\n    print(json.dumps({error!r}))") == error
    )


def test_a_token_opens_a_gated_model(client, hub):
    hub.add("maker/gated", FILES, token="stand-in-token")
    path = client("print(json.dumps(hf_hub_download('maker/gated', 'model-Q4_K_M.gguf')))", token="stand-in-token")
    assert digest(path) == hashlib.sha256(LARGE).hexdigest()
    assert all("authorization" not in each.headers for each in hub.downloads.asked())
