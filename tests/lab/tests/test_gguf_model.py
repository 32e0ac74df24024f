# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role gguf_model: small real models arrive by every way, over lines that break, on disks that fill."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys

import pytest
from lab.gguf_models import write_random_llama
from lab.host import Machine

pytestmark = pytest.mark.long

MODELS = "/var/lib/prositronic/models"
TOKEN = "hf_lab0123456789"
PLAY = """
- hosts: store
  gather_facts: false
  tasks:
    - name: Bring
      ansible.builtin.include_role:
        name: prositronic.infra.gguf_model
    - name: Look
      prositronic.infra.gguf_info:
        path: "{{ gguf_model_path }}"
      when: gguf_model_path is defined
"""


@pytest.fixture(scope="module")
def hosts(module_lab):
    """`store` fetches models, `peer` has one already."""
    module_lab.package_cache()
    return module_lab.boot(
        Machine("store", "forky", packages=("llama.cpp-tools",), disk_bytes=1 << 29),
        Machine("peer", disk_bytes=1 << 28),
    )


@pytest.fixture(scope="module")
def store(hosts):
    return hosts[0]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models of 11 MB, which take a while over a slow line, and a small one in parts."""
    folder = tmp_path_factory.mktemp("models")
    write_random_llama(folder / "model.gguf", embedding=384)
    write_random_llama(folder / "other.gguf", embedding=384, seed=2)
    write_random_llama(folder / "split.gguf", tensors_per_file=8)
    return folder


@pytest.fixture
def mirror(module_lab, models):
    server = module_lab.file_server()
    for path in models.iterdir():
        server.publish(f"/{path.name}", path)
    return server


@pytest.fixture(scope="module")
def bring(module_lab, hosts):
    """Run the role on `store`; `play` are options of the run, the rest are the role's variables."""

    def run(*, play=None, name="small", **variables):
        return module_lab.play(PLAY, variables=given(name, variables), **(play or {}))

    return run


def given(name, variables):
    return {"gguf_model_name": name, "gguf_model_reserve_bytes": 0, **variables}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def http(mirror, path, digest):
    return {"files": [{"url": mirror.url + path, "sha256": digest}]}


def start_slowly(module_lab, store, mirror, models, bytes_per_second):
    """Start a download that takes a while; returns the play and the source when the first bytes are there."""
    mirror.fault("/model.gguf", bytes_per_second=bytes_per_second)
    source = http(mirror, "/model.gguf", sha256(models / "model.gguf"))
    running = module_lab.start_play(PLAY, variables=given("small", {"gguf_model_source": source}))
    store.wait_for(f"test $(find {MODELS}/.staging -name model.gguf -size +1000k | wc -l) = 1", 60)
    return running, source


def remote_sha256(host, path):
    return host.run(["sha256sum", path]).stdout.split()[0]


def files_below(host, folder):
    return host.run(f"find {folder} -name '*.gguf' | sort", must_pass=False).stdout.split()


@pytest.fixture(autouse=True)
def no_models_from_before(store):
    store.run(f"rm -rf {MODELS}")


def test_check_mode_brings_nothing(bring, store, mirror, models):
    play = bring(
        gguf_model_source=http(mirror, "/model.gguf", sha256(models / "model.gguf")),
        play={"check_mode": True, "must_pass": False},
    )
    assert "Fetch the model" in " ".join(play.changed_tasks)
    assert files_below(store, MODELS) == []


def test_a_model_in_parts_from_a_mirror_and_a_second_run(bring, store, mirror, models):
    parts = sorted(models.glob("split-*"))
    assert len(parts) == 3
    mirror.fault("/split-00002-of-00003.gguf", drop_after_bytes=50_000)
    source = {"files": [{"url": f"{mirror.url}/{part.name}", "sha256": sha256(part)} for part in parts]}
    play = bring(gguf_model_source=source)
    arrived = files_below(store, MODELS)
    assert [remote_sha256(store, path) for path in arrived] == [sha256(part) for part in parts]
    # The header is read from all parts, and the first is the one to load
    assert play.task("Look", "store")["gguf"]["files"][0]["path"] == arrived[0]
    assert play.task("Look", "store")["gguf"]["tensors"].count("\n") == 2 * 9 + 3
    asked = len(mirror.requests)
    assert bring(gguf_model_source=source).changed_tasks == []
    assert len(mirror.requests) == asked
    assert store.run(f"ls -A {MODELS}/.jobs {MODELS}/.staging").stdout.split("\n") == [
        f"{MODELS}/.jobs:",
        "",
        f"{MODELS}/.staging:",
        "",
    ]


def test_progress_is_shown(bring, mirror, models):
    mirror.fault("/model.gguf", bytes_per_second=2_000_000)
    play = bring(gguf_model_source=http(mirror, "/model.gguf", sha256(models / "model.gguf")))
    lines = [line for line in play.output.splitlines() if line.startswith("store: small: ")]
    assert re.fullmatch(r"store: small: fetching, \d+\.\d of 11\.0 MiB, \d MiB/s, \d+ s left", lines[-1]), lines


def test_a_broken_line_is_resumed(bring, store, mirror, models):
    digest = sha256(models / "model.gguf")
    mirror.fault("/model.gguf", drop_after_bytes=4_000_000)
    bring(gguf_model_source=http(mirror, "/model.gguf", digest))
    first, second = mirror.asked("/model.gguf")
    assert (first.status, second.status) == (200, 206)
    assert first.sent_bytes + second.sent_bytes >= (models / "model.gguf").stat().st_size
    assert int(second.headers["range"].removeprefix("bytes=").removesuffix("-")) > 1_000_000
    assert remote_sha256(store, *files_below(store, MODELS)) == digest


def test_a_file_that_changes_meanwhile_is_fetched_anew(bring, store, mirror, models):
    mirror.fault("/model.gguf", drop_after_bytes=4_000_000)
    mirror.fault("/model.gguf", wait_seconds=2, drop_after_bytes=1, times=1)
    digest = sha256(models / "other.gguf")
    original = mirror.next_fault

    def change_after_the_first(request):
        fault = original(request)
        if request.method == "GET" and mirror.asked("/model.gguf"):
            mirror.publish("/model.gguf", models / "other.gguf")
        return fault

    mirror.next_fault = change_after_the_first
    bring(gguf_model_source=http(mirror, "/model.gguf", digest))
    assert remote_sha256(store, *files_below(store, MODELS)) == digest


def test_a_wrong_checksum_does_not_count(bring, store, mirror, models):
    right = sha256(models / "model.gguf")
    bring(gguf_model_source=http(mirror, "/model.gguf", right))
    before = files_below(store, MODELS)
    wrong = "0" * 64
    play = bring(gguf_model_source=http(mirror, "/model.gguf", wrong), play={"must_pass": False})
    assert not play.passed
    assert f"has the sha256 {right}, and {wrong} was expected; it was removed" in play.output
    assert files_below(store, MODELS) == before
    # One bit on the way is found as well, and the next try is right
    mirror.fault("/other.gguf", flip_byte=1_000_000)
    source = http(mirror, "/other.gguf", sha256(models / "other.gguf"))
    assert not bring(gguf_model_source=source, play={"must_pass": False}).passed
    bring(gguf_model_source=source)
    assert len(files_below(store, MODELS)) == 2


def test_what_is_no_model_does_not_count(bring, store, mirror):
    mirror.publish("/model.gguf", b"<html>Please log in</html>" * 1000)
    play = bring(gguf_model_source={"files": [{"url": mirror.url + "/model.gguf"}]}, play={"must_pass": False})
    assert "what has arrived is no model that llama.cpp could load" in play.output
    assert files_below(store, MODELS) == []


def test_no_room_is_said_before_the_first_byte(bring, store, mirror, models):
    source = http(mirror, "/model.gguf", sha256(models / "model.gguf"))
    play = bring(gguf_model_source=source, gguf_model_reserve_bytes=1 << 40, play={"must_pass": False})
    assert "no room below" in play.output
    assert "1024.0 GiB shall stay free" in play.output
    assert mirror.asked("/model.gguf") == []


def test_a_disk_that_fills_during_the_download(bring, store, module_lab, mirror, models):
    running, source = start_slowly(module_lab, store, mirror, models, 2_000_000)
    with store.disk_full("/var/lib"):
        play = running.wait()
    assert not play.passed
    assert "is full; what has arrived is kept" in play.output
    bring(gguf_model_source=source)
    assert mirror.asked("/model.gguf")[-1].status == 206
    assert remote_sha256(store, *files_below(store, MODELS)) == sha256(models / "model.gguf")


def test_the_download_goes_on_when_the_controller_goes_away(bring, store, module_lab, mirror, models):
    running, source = start_slowly(module_lab, store, mirror, models, 2_000_000)
    running.kill()
    store.wait_for(f"grep -q arrived {MODELS}/.jobs/*/status.json", 60)
    bring(gguf_model_source=source)
    assert len(mirror.asked("/model.gguf")) == 1
    assert remote_sha256(store, *files_below(store, MODELS)) == sha256(models / "model.gguf")


def test_the_download_goes_on_after_a_loss_of_power(bring, store, module_lab, mirror, models):
    running, source = start_slowly(module_lab, store, mirror, models, 2_000_000)
    store.run("sync")
    store.power_off()
    running.kill()
    store.power_on()
    store.wait_ready()
    bring(gguf_model_source=source)
    assert mirror.asked("/model.gguf")[-1].status == 206
    assert remote_sha256(store, *files_below(store, MODELS)) == sha256(models / "model.gguf")


@pytest.fixture(scope="module")
def hub(module_lab, models):
    hub = module_lab.model_hub()
    hub.add(
        "maker/small-GGUF",
        {
            "README.md": "# Small\n",
            "small-Q4_K_M.gguf": models / "model.gguf",
            "small-Q8_0.gguf": models / "other.gguf",
            "mmproj-small-Q4_K_M.gguf": b"projector",
        },
        tag="v1",
    )
    hub.add("maker/gated-GGUF", {"gated-Q4_K_M.gguf": models / "model.gguf"}, token=TOKEN)
    return hub


@pytest.fixture(scope="module")
def wheels(store, tmp_path_factory):
    """The hub's client and what it needs, for the host's Python, as a package index would give it."""
    folder = tmp_path_factory.mktemp("wheels")
    version = store.run(["python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).stdout.strip()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--python-version={version}"]
    subprocess.run([*command, f"--dest={folder}", "huggingface_hub"], check=True, stdin=subprocess.DEVNULL)
    store.push(folder, "/srv/wheels")
    return ["--no-index", "--find-links=/srv/wheels"]


def from_hub(hub, repository="maker/small-GGUF", **what):
    return {"hub": {"repository": repository, "endpoint": hub.url, "quant": "Q4_K_M", **what}}


def test_from_the_hub(bring, store, hub, wheels, models):
    options = {"gguf_model_client_pip_arguments": wheels}
    play = bring(gguf_model_source=from_hub(hub), **options)
    (path,) = files_below(store, MODELS)
    assert path.endswith("/small-Q4_K_M.gguf")
    assert remote_sha256(store, path) == sha256(models / "model.gguf")
    assert len(play.task("Fetch the model", "store")["commit"]) == 40
    assert bring(gguf_model_source=from_hub(hub), **options).changed_tasks == []
    # The hub's checksum counts: a file that arrives wrong does not
    hub.downloads.fault(flip_byte=1_000_000)
    play = bring(gguf_model_source=from_hub(hub, quant="Q8_0"), play={"must_pass": False}, **options)
    assert "was expected; it was removed" in play.output
    play = bring(gguf_model_source=from_hub(hub, revision="v9"), play={"must_pass": False}, **options)
    assert "there is no such revision" in play.output


def test_a_token_opens_a_gated_model_and_is_seen_nowhere(bring, store, hub, wheels):
    options = {"gguf_model_client_pip_arguments": wheels, "gguf_model_source": from_hub(hub, "maker/gated-GGUF")}
    play = bring(play={"must_pass": False}, **options)
    assert "is gated: give a token that may read it" in play.output
    # The client goes when it has done its work, if that is asked for
    options["gguf_model_client_state"] = "absent"
    play = bring(gguf_model_token=TOKEN, play={"arguments": ["-vvv"]}, **options)
    assert len(files_below(store, MODELS)) == 1
    assert TOKEN not in play.output
    assert TOKEN not in store.journal()
    assert store.run(f"grep -rlF {TOKEN} /etc /var /run /root", must_pass=False).stdout == ""
    assert store.run("ls /var/lib/prositronic").stdout.split() == ["models"]


def test_over_the_controller(bring, store, hub, models, tmp_path):
    bring(
        gguf_model_source=from_hub(hub),
        gguf_model_via="controller",
        gguf_model_controller_directory=str(tmp_path),
    )
    (path,) = files_below(store, MODELS)
    assert remote_sha256(store, path) == sha256(models / "model.gguf")


def test_from_another_host(bring, store, hosts, models, tmp_path):
    hosts[1].run("mkdir -p /srv/models")
    hosts[1].push(models / "model.gguf", "/srv/models/model.gguf")
    options = {
        "gguf_model_source": {"host": {"name": "peer", "path": "/srv/models/model.gguf"}},
        "gguf_model_controller_directory": str(tmp_path),
    }
    bring(**options)
    (path,) = files_below(store, MODELS)
    assert remote_sha256(store, path) == sha256(models / "model.gguf")
    assert bring(**options).changed_tasks == []


def test_a_path_is_used_where_it_is_or_copied(bring, store, models):
    store.push(models / "model.gguf", "/srv/models/model.gguf")
    digest = {"model.gguf": sha256(models / "model.gguf")}
    play = bring(gguf_model_source={"path": "/srv/models/model.gguf", "sha256": digest})
    assert play.task("Look", "store")["gguf"]["files"][0]["path"] == "/srv/models/model.gguf"
    play = bring(gguf_model_source={"path": "/srv/models/model.gguf", "method": "copy"})
    assert play.task("Look", "store")["gguf"]["files"][0]["path"].startswith(MODELS)


def test_quantised_on_the_host(bring, store, models):
    store.push(models / "model.gguf", "/srv/models/model.gguf")
    source = {"path": "/srv/models/model.gguf"}
    play = bring(gguf_model_source=source, gguf_model_quantize={"type": "Q8_0"})
    assert play.task("Look", "store")["quant"] == "Q8_0"
    assert bring(gguf_model_source=source, gguf_model_quantize={"type": "Q8_0"}).changed_tasks == []
    # The dry run says beforehand that there is no room
    play = bring(
        gguf_model_source=source,
        gguf_model_quantize={"type": "Q4_0"},
        gguf_model_reserve_bytes=store.free_bytes("/var/lib"),
        play={"must_pass": False},
    )
    assert "no room below" in play.output


def test_old_files_go_only_on_request_and_never_while_they_are_served(bring, store, mirror, models):
    def source(name):
        return http(mirror, f"/{name}.gguf", sha256(models / f"{name}.gguf"))

    bring(gguf_model_source=source("model"))
    (old,) = files_below(store, MODELS)
    record = "/var/lib/prositronic/instances/chat.json"
    store.write(record, json.dumps({"model": old}))
    bring(gguf_model_source=source("other"), gguf_model_remove_others=True)
    assert len(files_below(store, MODELS)) == 2
    play = bring(gguf_model_state="absent", play={"must_pass": False})
    assert "is served by the instance chat" in play.output
    store.run(f"rm {record}")
    bring(gguf_model_source=source("other"), gguf_model_remove_others=True)
    assert len(files_below(store, MODELS)) == 1
    assert old not in files_below(store, MODELS)
    bring(gguf_model_state="absent")
    assert files_below(store, MODELS) == []
