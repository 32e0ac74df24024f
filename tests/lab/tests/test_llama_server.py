# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role llama_server: Debian's llama-server serves a small real model on a host that boots, reached by ssh."""

from __future__ import annotations

import itertools
import json

import pytest
from lab import instances
from lab.gguf_models import write_random_llama
from lab.instances import Instance

MODEL = "/srv/models/random.gguf"
# A machine that has a GPU that this host does not have
GPU_HOST = {
    "gpus": [
        {
            "index": 0,
            "uuid": "GPU-00000000-0000-4000-8000-000000000000",
            "name": "NVIDIA L40S",
            "vendor": "nvidia",
            "memory_total_bytes": 48 << 30,
            "memory_free_bytes": 47 << 30,
            "compute_capability": "8.9",
        }
    ],
    "driver": {"vendor": "nvidia", "version": "610.43.02", "cuda_version": "13.3"},
    "memory": {"total_bytes": 64 << 30},
}
KEY = "sk-lab-0123456789abcdef"
# What a start changes besides is what is then measured
STARTED = "Put the instance into service"
# What instances of this role leave, wherever they leave it
TRACES = (
    "find /etc /run /usr/local /var/lib /var/cache \\( -path '*llama-server*' -o -path '*prositronic*' \\) "
    "! -path '/run/systemd/*' ! -path '/run/log/*' -print; pgrep -a llama-server; "
    "systemctl list-units --all --no-legend 'llama-server*'; getent passwd | grep llama-server"
)


@pytest.fixture(scope="module")
def host(module_lab):
    return module_lab.host("gpu", "forky", packages=instances.ENGINE, disk_bytes=1 << 30)


@pytest.fixture(scope="module")
def models(host, tmp_path_factory):
    """Models on the host: random.gguf, other.gguf, and broken.gguf, which lacks a tensor that its architecture has."""
    folder = tmp_path_factory.mktemp("models")
    write_random_llama(folder / "random.gguf")
    write_random_llama(folder / "other.gguf", seed=2, name="Other llama")
    broken = (folder / "random.gguf").read_bytes().replace(b"blk.1.attn_q.weight", b"blk.1.attn_x.weight")
    (folder / "broken.gguf").write_bytes(broken)
    host.push(folder, "/srv/models")
    host.run("chmod -R a+rX /srv/models")
    return folder


@pytest.fixture(scope="module")
def planned(module_lab, models):
    """Variables of the role for plans of several contexts, and for a machine with a GPU that this host does not have."""
    wishes = [{"context": 1024}, {"context": 512}, {"context": 768}, {"host": GPU_HOST}]
    made, facts = instances.plans(module_lab, MODEL, wishes)
    assert facts["gpus"] == []
    hosts = [facts, facts, facts, GPU_HOST]
    return {
        name: {"llama_server_plan": plan, "llama_server_host": of}
        for name, plan, of in zip((1024, 512, 768, "gpu"), made, hosts, strict=True)
    }


@pytest.fixture(scope="module")
def variables(planned):
    """Variables of the role; `plan` is one of `planned`."""

    def of(plan, **more):
        return {
            **planned[plan],
            "llama_server_name": "chat",
            "llama_server_model": MODEL,
            "llama_server_port": 8080,
            "llama_server_binary": "/usr/bin/llama-server",
            "llama_server_restart_seconds": 1,
            **more,
        }

    return of


@pytest.fixture(scope="module")
def serve(module_lab, variables):
    """Run the role; `play` are options of the run, the rest are more variables."""

    def run(plan=1024, *, play=None, **more):
        return module_lab.play(instances.SERVE, variables=variables(plan, **more), **(play or {}))

    return run


@pytest.fixture
def remove(module_lab):
    return lambda name="chat": module_lab.play(instances.REMOVE, variables={"llama_server_name": name})


@pytest.fixture(scope="module")
def chat(host):
    return Instance(host)


def test_check_mode_before_anything_is_there(serve, host):
    play = serve(play={"check_mode": True})
    assert "llama-server-chat.service" in play.output
    assert "+ExecStart=/usr/bin/llama-server" in play.output
    assert play.changed > 0
    assert host.run(TRACES, must_pass=False).stdout == ""


def test_first_install_serves(serve, host, chat):
    serve()
    assert chat.complete()["model"] == "chat"
    words = chat.argv
    assert words[0] == "/usr/bin/llama-server"
    options = dict(itertools.pairwise(words))
    assert options["--fit"] == "off"
    assert options["--port"] == "8080"
    assert options["--host"] == "127.0.0.1"
    assert options["--ctx-size"] == "1024"
    assert options["--model"] == MODEL
    assert chat.state["ActiveState"] == "active"
    record = json.loads(host.read("/var/lib/prositronic/instances/chat.json"))
    assert record["launch"]["ctx_size"] == 1024
    assert set(record) >= {"plan_id", "request_id", "launch", "gpu_memory_bytes", "host_memory_bytes"}


def test_the_unit_is_hardened(host, chat):
    assert chat.exposure <= 2.0
    assert host.run(["systemd-analyze", "verify", f"/etc/systemd/system/{chat.service}"]).stderr == ""
    # One option a line
    command = chat.unit.partition("ExecStart=")[2].partition("\nExecStartPost")[0]
    assert all(line.strip(" \\").startswith("--") for line in command.splitlines()[1:] if line.startswith(" "))


def test_a_second_run_changes_nothing(serve, chat):
    before = chat.pid
    assert serve().changed_tasks == []
    assert chat.pid == before


def test_check_mode_tells_a_change_and_makes_none(serve, chat):
    before, text = chat.pid, chat.unit
    play = serve(512, play={"check_mode": True})
    assert "-    --ctx-size 1024" in play.output
    assert "+    --ctx-size 512" in play.output
    assert play.changed == 1
    assert (chat.pid, chat.unit) == (before, text)


def test_a_change_of_context(serve, chat):
    assert serve(512).changed > 0
    assert chat.context == 512
    assert chat.complete()


def test_an_option_that_the_engine_does_not_have_is_refused_before_anything_restarts(serve, chat):
    before = chat.pid
    play = serve(llama_server_options={"no_mmap": True}, play={"must_pass": False})
    assert not play.passed
    assert "option 'no_mmap' is not in llama.cpp 0.7.0 any more; use load_mode: none" in play.output
    assert chat.pid == before


def test_a_model_that_cannot_load_never_stops_the_old_one(serve, host, chat):
    before, text = chat.pid, chat.unit
    with chat.asked_all_the_time() as statuses:
        # Without llama-fit-params, which sees it before: the trial is the next that does
        play = serve(
            llama_server_model="/srv/models/broken.gguf", llama_server_preflight=False, play={"must_pass": False}
        )
    assert not play.passed
    assert "a trial start of the new setting failed" in play.output
    assert "what served before was not touched" in play.output
    assert "blk.1.attn_q.weight" in play.output  # llama.cpp's own words
    assert len(statuses) > 5
    assert set(statuses) == {"200"}
    assert (chat.pid, chat.unit) == (before, text)
    assert host.run("ls /run/systemd/system").stdout.count("trial") == 0


def test_a_missing_gpu_stops_the_service_and_the_old_one_comes_back(serve, chat):
    text = chat.unit
    play = serve("gpu", play={"must_pass": False})
    assert not play.passed
    assert "invalid device: CUDA0. Nothing was changed." in play.output
    assert chat.unit == text
    play = serve("gpu", llama_server_preflight=False, play={"must_pass": False})
    assert not play.passed
    assert "invalid device: CUDA0" in play.output
    assert "what served before serves again" in play.output
    assert chat.unit == text
    assert chat.complete()
    assert serve(512).changed_tasks == []


def test_the_unit_of_a_gpu_is_hardened_too(serve, host):
    asked = {"llama_server_name": "lonely", "llama_server_port": 8090, "llama_server_preflight": False}
    play = serve("gpu", **asked, play={"check_mode": True})
    text = "".join(f"{line[1:]}\n" for line in play.output.splitlines() if line.startswith("+") and line[:2] != "++")
    for expected in (
        "Environment=CUDA_DEVICE_ORDER=PCI_BUS_ID",
        "Environment=CUDA_VISIBLE_DEVICES=GPU-00000000-0000-4000-8000-000000000000",
        "    --device CUDA0 \\",
        "DeviceAllow=char-nvidia* rw",
    ):
        assert expected in text.splitlines()
    host.write("/tmp/lonely.service", text)
    rating = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=30", "/tmp/lonely.service"]
    host.run(rating)


def test_a_killed_server_comes_back(host, chat):
    before = chat.pid
    host.run(["systemctl", "kill", "--signal=KILL", chat.service])
    host.wait_for(lambda: chat.pid not in ("0", before) and chat.health == 200, 60)
    assert chat.complete()


def test_a_stopped_server_is_started(serve, host, chat):
    host.run(["systemctl", "stop", chat.service])
    assert STARTED in " ".join(serve(512).changed_tasks)
    assert chat.complete()


def test_a_reboot(serve, host, chat):
    host.reboot()
    host.wait_for(lambda: chat.health == 200, 60)
    assert chat.complete()
    assert serve(512).changed_tasks == []


def test_a_port_that_is_taken_is_refused_before_anything_restarts(serve, host, chat):
    host.run("systemd-run --unit=squatter python3 -m http.server --bind 127.0.0.1 8099")
    host.wait_for("curl --silent --output /dev/null http://127.0.0.1:8099/")
    play = serve(llama_server_port=8099, play={"must_pass": False})
    assert "something else listens on 127.0.0.1:8099 already; choose another port" in play.output
    assert chat.complete()
    host.run("systemctl stop squatter")


def test_keys(serve, host, chat):
    play = serve(llama_server_api_keys=[KEY], play={"arguments": ["-vvv"]})
    assert chat.ask("/v1/models")[0] == 401
    assert chat.ask("/v1/models", key="wrong")[0] == 401
    assert chat.health == 200
    assert chat.complete(key=KEY)
    assert KEY not in " ".join(chat.argv)
    assert KEY not in " ".join(chat.environment)
    assert KEY not in host.journal(since_boot=False)
    assert KEY not in play.output
    assert KEY not in chat.unit
    found = host.run(f"grep -rlF {KEY} /etc /var /run /usr/local 2>/dev/null", must_pass=False).stdout.split()
    assert [path for path in found if not path.startswith("/run/credentials/")] == [
        "/etc/prositronic/llama-server/chat.keys",
        "/var/lib/prositronic/instances/chat.good/api-keys",
    ]
    for path in found:
        if not path.startswith("/run/credentials/"):  # there an access list says who reads
            assert host.run(["stat", "--format=%a", path]).stdout.strip() == "600"
    # Nobody else may read them, by whatever way
    for path in found:
        assert host.run(["su", "-s", "/bin/sh", "nobody", "-c", f"cat {path}"], must_pass=False).exit_code != 0
    assert serve(llama_server_api_keys=[KEY]).changed_tasks == []
    rotated = serve(llama_server_api_keys=["another-key"])
    assert STARTED in " ".join(rotated.changed_tasks)
    assert chat.ask("/v1/models", key=KEY)[0] == 401
    assert chat.complete(key="another-key")


def test_values_cannot_leave_their_place(serve, host, chat):
    hostile = '/srv/models/it\'s 100% "$HOME" ${PATH}\\x.gguf'
    host.run(["cp", MODEL, hostile])
    alias = "a 'b' \"c\" %n $USER ${HOME} \\ ;\n[Service]\nExecStartPre=/bin/touch /tmp/escaped"
    serve(
        llama_server_model=hostile,
        llama_server_options={"chat_template": alias, "alias": alias.replace("\n", " ")},
        llama_server_environment={"LAB": 'x" %n $HOME\nUser=root\\'},
    )
    options = dict(itertools.pairwise(chat.argv))
    assert options["--model"] == hostile
    assert options["--chat-template"] == alias
    assert options["--alias"] == alias.replace("\n", " ")
    assert 'LAB=x" %n $HOME\nUser=root\\' in chat.environment
    assert host.run("test -e /tmp/escaped", must_pass=False).exit_code != 0


def test_two_instances(serve, host, chat, remove):
    serve()
    other = Instance(host, "other", 8081)
    serve(llama_server_name="other", llama_server_port=8081, llama_server_model="/srv/models/other.gguf")
    assert chat.complete()["model"] == "chat"
    assert other.complete()["model"] == "other"
    remove("other")
    assert other.health == 0
    assert chat.complete()
    assert "other" not in host.run(TRACES, must_pass=False).stdout


@pytest.fixture
def slow_start(host):
    """Variables with which an instance needs some seconds until it counts as started."""
    host.write("/usr/local/bin/slow-python", '#!/bin/sh\n/bin/sleep 2\nexec /usr/bin/python3 "$@"\n', mode=0o755)
    return {"llama_server_python": "/usr/local/bin/slow-python"}


def start_and_stop_at(module_lab, host, chat, given, what_happens):
    """Start the play and do something while the new unit is there and its check has not ended."""
    running = module_lab.start_play(instances.SERVE, variables=given)
    host.wait_for(lambda: "--ctx-size 768" in chat.unit, 60)
    what_happens(running)


def test_the_controller_dies_between_unit_and_start(serve, host, chat, module_lab, variables, slow_start):
    start_and_stop_at(module_lab, host, chat, variables(768, **slow_start), lambda running: running.kill())
    # The host goes on alone: the new setting serves and has been committed
    host.wait_for("grep -q 'ctx-size 768' /var/lib/prositronic/instances/chat.good/unit", 60)
    assert chat.context == 768
    assert serve(768, **slow_start).changed_tasks == []
    serve()


def test_the_host_dies_between_unit_and_start(serve, host, chat, module_lab, variables, slow_start):
    def cut(running):
        host.power_off()
        running.kill()

    start_and_stop_at(module_lab, host, chat, variables(768, **slow_start), cut)
    host.power_on()
    host.wait_ready()
    assert "ctx-size 1024" in host.read("/var/lib/prositronic/instances/chat.good/unit")
    # What was broken off does not count as done, and the way back is still known
    play = serve("gpu", llama_server_preflight=False, play={"must_pass": False})
    assert "what served before serves again" in play.output
    assert chat.context == 1024


def test_uninstall_leaves_nothing(host, remove):
    play = remove()
    assert play.changed > 0
    host.run("rm -f /usr/local/bin/slow-python")
    assert host.run(TRACES, must_pass=False).stdout == ""
    assert remove().changed_tasks == []
