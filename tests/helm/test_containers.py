# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the containers run, run outside a cluster: the rendered commands, arguments and environment, with folders for mounts.

The hub is a stand-in (hub.py), and so is llama-server here: a script that writes down its arguments. That the real one starts
with them is tested on the lab's hosts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from ansible_collections.prositronic.infra.tests.helm.command import of_kind
from ansible_collections.prositronic.infra.tests.helm.hub import Hub, sha256
from ansible_collections.prositronic.infra.tests.helm.programs import SCRIPTS_NEED

MISSING = [name for name in SCRIPTS_NEED if not shutil.which(name)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"the scripts of the chart need {', '.join(MISSING)}")

A, B = os.urandom(300_000), os.urandom(200_000)
SPLIT = {
    "Q4_K_M/m-Q4_K_M-00001-of-00002.gguf": A,
    "Q4_K_M/m-Q4_K_M-00002-of-00002.gguf": B,
    "UD-Q4_K_M/m-UD-Q4_K_M.gguf": b"other",
    "m-Q4_K_S.gguf": b"other",
    "mmproj-Q4_K_M.gguf": b"other",
    "README.md": b"hello",
}


class Pod:
    """The pod of a rendered deployment, as folders and processes of this machine."""

    def __init__(self, folder, found) -> None:
        self.folder = folder
        self.spec = of_kind(found, "Deployment")["spec"]["template"]["spec"]
        self.tests = of_kind(found, "Pod")["spec"]
        self.models = folder / "models"
        for name in ("models", "scripts", "tmp", "secrets"):
            (folder / name).mkdir(exist_ok=True)
        for name, text in of_kind(found, "ConfigMap")["data"].items():
            (folder / "scripts" / name).write_text(text, encoding="utf-8")

    def run(self, container, **extra):
        """Run a container; mounts are folders of this one's, and paths in command and environment point there."""
        command = [self._here(word) for word in [*container["command"], *container.get("args", [])]]
        variables = {entry["name"]: self._here(entry["value"]) for entry in container["env"]}
        variables |= {"PATH": os.environ["PATH"], "TMPDIR": str(self.folder / "tmp"), "RETRY_SECONDS": "0"}
        variables |= {"FILES_FILE": str(self.folder / "scripts" / "files")}
        variables |= {
            "TOKEN_FILE": str(self.folder / "secrets" / "token"),
            "AUTH_FILE": str(self.folder / "secrets" / "keys"),
        }
        variables |= extra
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)

    def fetch(self, **extra):
        return self.run(self.spec["initContainers"][0], **extra)

    def _here(self, text: str) -> str:
        for name in ("/models", "/scripts", "/program"):
            if text.startswith(name):
                return f"{self.folder}{text}"
        return text.replace("$$", "$")


@pytest.fixture
def pod(helm, seed, override, tmp_path):
    """A function that renders the pod of a model."""

    def render(**model):
        found = helm.template(
            seed, override(model={"quant": "Q4_K_M", "repository": "p/q", **model}, image={"program": "/program"})
        )
        return Pod(tmp_path, found)

    return render


@pytest.fixture
def hub():
    made = []

    def make(files=None, **more):
        made.append(Hub(dict(SPLIT if files is None else files), **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def brought(pod):
    folder = pod.models / "deepseek-v3-1-q3-k-m"
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.gguf*") if path.suffix != ".sha256"
    }


def test_the_files_of_a_quant_are_looked_up_brought_and_kept(pod, hub):
    source = hub()
    made = pod(endpoint=source.url)
    done = made.fetch()
    assert done.returncode == 0, done.stderr
    assert brought(made) == {name: data for name, data in SPLIT.items() if name.startswith("Q4_K_M/")}
    start = (made.models / "deepseek-v3-1-q3-k-m" / ".start").read_text().strip()
    assert start.endswith("/Q4_K_M/m-Q4_K_M-00001-of-00002.gguf")
    # Once here, it needs neither hub nor network, and reads nothing again
    source.seen.clear()
    assert made.fetch().returncode == 0
    assert not source.seen


def test_the_server_is_started_with_the_first_file_and_the_arguments_of_the_plan(pod, hub):
    made = pod(endpoint=hub().url)
    assert made.fetch().returncode == 0
    program = made.folder / "program"
    program.write_text('#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n', encoding="utf-8")
    program.chmod(0o755)
    (container,) = made.spec["containers"]
    done = made.run(container)
    words = done.stdout.split("\0")[:-1]
    first = made.models / "deepseek-v3-1-q3-k-m" / "Q4_K_M" / "m-Q4_K_M-00001-of-00002.gguf"
    assert words == ["--model", str(first), *container["args"]], done.stderr


def test_a_broken_download_goes_on_where_it_stopped(pod, hub):
    source = hub({"m-Q4_K_M.gguf": A})
    source.breaks = [100_000, 200_000]
    made = pod(endpoint=source.url)
    done = made.fetch()
    assert done.returncode == 0, done.stderr
    assert [line.split(" ", 3)[3:] for line in source.downloads()] == [[], ["bytes=100000-"], ["bytes=200000-"]]
    assert brought(made) == {"m-Q4_K_M.gguf": A}


def test_so_does_the_next_start_of_the_pod(pod, hub):
    source = hub({"m-Q4_K_M.gguf": A})
    source.breaks = [100_000] + [0] * 20
    made = pod(endpoint=source.url)
    done = made.fetch()
    assert done.returncode != 0 and "what is there is kept" in done.stderr
    source.breaks, source.seen = [], []
    assert made.fetch().returncode == 0
    assert source.downloads() == ["store GET /m-Q4_K_M.gguf bytes=100000-"]
    assert brought(made) == {"m-Q4_K_M.gguf": A}


def test_a_server_that_cannot_resume_is_asked_for_all_of_it(pod, hub):
    source = hub({"m-Q4_K_M.gguf": A})
    source.breaks, source.resumes = [100_000], False
    made = pod(endpoint=source.url)
    done = made.fetch()
    assert done.returncode == 0, done.stderr
    assert brought(made) == {"m-Q4_K_M.gguf": A}


def test_wrong_bytes_are_not_served(pod, hub):
    source = hub({"m-Q4_K_M.gguf": A})
    source.corrupt = True
    made = pod(endpoint=source.url)
    done = made.fetch()
    assert done.returncode != 0 and f"its sha256 is not {sha256(A)}" in done.stderr
    assert not brought(made)
    source.corrupt = False
    assert made.fetch().returncode == 0


def test_files_that_are_named_are_those_and_no_others(pod, hub):
    source = hub()
    elsewhere = f"{source.store}/m-Q4_K_S.gguf"
    files = {
        "UD-Q4_K_M/m-UD-Q4_K_M.gguf": {"sha256": sha256(b"other")},
        "mmproj.gguf": {"sha256": sha256(b"other"), "url": elsewhere},
    }
    made = pod(endpoint=source.url, files=files)
    done = made.fetch()
    assert done.returncode == 0, done.stderr
    assert set(brought(made)) == set(files)
    assert not [line for line in source.seen if "/api/" in line]
    start = (made.models / "deepseek-v3-1-q3-k-m" / ".start").read_text().strip()
    assert start.endswith("/UD-Q4_K_M/m-UD-Q4_K_M.gguf")


def test_another_model_takes_the_place_of_the_last(pod, hub):
    source = hub()
    assert pod(endpoint=source.url).fetch().returncode == 0
    made = pod(endpoint=source.url, quant="Q4_K_S")
    assert made.fetch().returncode == 0
    assert set(brought(made)) == {"m-Q4_K_S.gguf"}


@pytest.mark.parametrize(
    ("files", "model", "said"),
    [
        (SPLIT, {"quant": "Q8_0"}, "p/q has no Q8_0; name its files in model.files"),
        (
            {"a-Q4_0.gguf": A, "b-Q4_0.gguf": B},
            {"quant": "Q4_0"},
            "has several of Q4_0; name one's files in model.files: a-Q4_0.gguf",
        ),
        ({"a-Q4_0-00001-of-00003.gguf": A}, {"quant": "Q4_0"}, "p/q lacks parts of Q4_0"),
        (SPLIT, {"repository": "p/none"}, "cannot list p/none at main; check model.repository"),
        ({"a Q4_0.gguf": A, "$(touch x)-Q4_0.gguf": A, "../x-Q4_0.gguf": A}, {"quant": "Q4_0"}, "p/q has no Q4_0"),
        (SPLIT, {"files": {"none.gguf": {"sha256": "0" * 64}}}, "none.gguf: the server says 404"),
    ],
)
def test_what_cannot_be_brought_is_said_in_a_sentence(pod, hub, files, model, said):
    made = pod(endpoint=hub(files).url, **model)
    done = made.fetch()
    assert done.returncode != 0
    assert said in done.stderr
    assert not brought(made)


def test_the_token_goes_to_the_hub_and_nowhere_else(pod, hub):
    source = hub(token="hf_secret")
    made = pod(endpoint=source.url)
    refused = made.fetch()
    assert refused.returncode != 0 and "hubToken" in refused.stderr
    (made.folder / "secrets" / "token").write_text("hf_secret\n", encoding="utf-8")
    done = made.fetch()
    assert done.returncode == 0, done.stderr
    assert set(source.tokens_of_store) == {None}
    assert "hf_secret" not in done.stderr + done.stdout
    assert not list((made.folder / "tmp").iterdir())


def test_a_completion_is_asked_for_with_the_key(pod, hub):
    """The service is a stand-in that takes one key."""
    import http.server
    import threading

    seen = []

    class Service(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Authorization"], json.loads(body)["max_tokens"]))
            allowed = self.headers["Authorization"] == "Bearer sk-1"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(b'{"choices":[{"message":{"content":"yes"}}]}')

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    made = pod(endpoint=hub().url)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    (container,) = made.tests["containers"]
    try:
        assert made.run(container, SERVICE_URL=url).returncode != 0
        (made.folder / "secrets" / "keys").write_text("# mine\nsk-1\nsk-2\n", encoding="utf-8")
        done = made.run(container, SERVICE_URL=url)
    finally:
        server.shutdown()
        server.server_close()
    assert (done.returncode, done.stdout) == (0, '{"choices":[{"message":{"content":"yes"}}]}\n'), done.stderr
    assert seen[-1] == ("/v1/chat/completions", "Bearer sk-1", 16)
