# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role llama_server: Debian's llama-server serves a small real model on a host that boots, reached by ssh."""

from __future__ import annotations

import contextlib
import itertools
import json

import pytest
from lab.gguf_models import write_random_llama

MODEL = "/srv/models/random.gguf"
PORT = 8080
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Facts
      prositronic.infra.gpu_facts:
    - name: Header
      prositronic.infra.gguf_info:
        path: "{{ planned_model | default(llama_server_model) }}"
      register: header
    - name: Plan
      prositronic.infra.model_fit:
        model: "{{ header.gguf }}"
        host: "{{ llama_server_host | default(ansible_facts['inference_host']) }}"
        name: "{{ instance | default('chat') }}"
        context: "{{ context | default(1024) }}"
        parallel: 1
        allow: "{{ allow | default({}) }}"
        reserve: {ram_bytes: 0}
      register: fit
    - name: Serve
      ansible.builtin.include_role:
        name: prositronic.infra.llama_server
      vars:
        llama_server_plan: "{{ fit.plan | combine({'launch': fit.plan.launch | combine({'threads': 1})}) }}"
"""
REMOVE = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Remove
      ansible.builtin.include_role:
        name: prositronic.infra.llama_server
      vars:
        llama_server_state: absent
        llama_server_name: "{{ instance | default('chat') }}"
"""
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
# What instances of this role leave, wherever they leave it
TRACES = (
    "find /etc /run /usr/local /var/lib /var/cache \\( -path '*llama-server*' -o -path '*prositronic*' \\) "
    "! -path '/run/systemd/*' ! -path '/run/log/*' -print; pgrep -a llama-server; "
    "systemctl list-units --all --no-legend 'llama-server*'; getent passwd | grep llama-server"
)


@pytest.fixture(scope="module")
def host(module_lab):
    return module_lab.host("gpu", "forky", packages=("llama.cpp-tools",), disk_bytes=1 << 30)


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


@pytest.fixture
def serve(module_lab, models):
    """Run the play; `play` are options of the run, the rest are the role's variables and the plan's wishes."""

    def run(*, play=None, **variables):
        given = {"llama_server_model": MODEL, "llama_server_port": PORT, "llama_server_binary": "/usr/bin/llama-server"}
        return module_lab.play(PLAY, variables={**given, **variables}, **(play or {}))

    return run


@pytest.fixture
def remove(module_lab):
    return lambda instance="chat": module_lab.play(REMOVE, variables={"instance": instance})


def unit(host, name="chat"):
    return host.read(f"/etc/systemd/system/llama-server-{name}.service")


def state(host, name="chat"):
    """What systemd says of an instance."""
    text = host.run(["systemctl", "show", f"llama-server-{name}.service"]).stdout
    return dict(line.partition("=")[::2] for line in text.splitlines())


def argv(host, name="chat"):
    """The arguments of the process that runs."""
    return host.run(["cat", f"/proc/{state(host, name)['MainPID']}/cmdline"]).stdout.split("\0")[:-1]


def ask(host, path, body=None, key=None, port=PORT):
    """Status and answer of a request made on the host itself, where the loopback is."""
    words = ["curl", "--silent", "--max-time", "60", "--write-out", "\n%{http_code}", f"http://127.0.0.1:{port}{path}"]
    words += ["--json", json.dumps(body)] if body is not None else []
    words += ["--header", f"Authorization: Bearer {key}"] if key is not None else []
    answer, _, status = host.run(words, must_pass=False).stdout.rpartition("\n")
    return int(status), answer


def complete(host, **where):
    """A real chat completion."""
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    status, answer = ask(host, "/v1/chat/completions", body, **where)
    assert status == 200, answer
    return json.loads(answer)


def context(host):
    return json.loads(ask(host, "/props")[1])["default_generation_settings"]["n_ctx"]


@contextlib.contextmanager
def asked_all_the_time(host):
    """For the length of a block somebody on the host asks the server again and again; gives the list of statuses."""
    statuses = []
    asking = f"while :; do curl -s -o /dev/null -w '%{{http_code}}\\n' http://127.0.0.1:{PORT}/health; sleep 0.1; done"
    host.run(["systemd-run", "--quiet", "--unit=asking", "sh", "-c", f"({asking}) >> /tmp/asked"])
    try:
        yield statuses
    finally:
        host.run("systemctl stop asking.service")
        statuses += host.read("/tmp/asked").split()
        host.run("rm /tmp/asked")


def test_check_mode_before_anything_is_there(serve, host):
    play = serve(play={"check_mode": True})
    assert "llama-server-chat.service" in play.output
    assert "+ExecStart=/usr/bin/llama-server" in play.output
    assert play.changed > 0
    assert host.run(TRACES, must_pass=False).stdout == ""


def test_first_install_serves(serve, host):
    serve()
    assert complete(host)["model"] == "chat"
    words = argv(host)
    assert words[0] == "/usr/bin/llama-server"
    options = dict(itertools.pairwise(words))
    assert options["--fit"] == "off"
    assert options["--port"] == str(PORT)
    assert options["--host"] == "127.0.0.1"
    assert options["--ctx-size"] == "1024"
    assert options["--model"] == MODEL
    assert state(host)["ActiveState"] == "active"
    record = json.loads(host.read("/var/lib/prositronic/instances/chat.json"))
    assert record["launch"]["ctx_size"] == 1024
    assert set(record) >= {"plan_id", "request_id", "launch", "gpu_memory_bytes", "host_memory_bytes"}


def test_the_unit_is_hardened(host, tmp_path):
    text = host.run(["systemd-analyze", "security", "--no-pager", "llama-server-chat.service"], must_pass=False).stdout
    exposure = float(text.rsplit("level for llama-server-chat.service:", 1)[1].split()[0])
    assert exposure <= 2.0
    assert host.run(["systemd-analyze", "verify", "/etc/systemd/system/llama-server-chat.service"]).stderr == ""
    # One option a line
    command = unit(host).partition("ExecStart=")[2].partition("\nExecStartPost")[0]
    assert all(line.strip(" \\").startswith("--") for line in command.splitlines()[1:] if line.startswith(" "))


def test_a_second_run_changes_nothing(serve, host):
    before = state(host)["MainPID"]
    play = serve()
    assert play.changed_tasks == []
    assert state(host)["MainPID"] == before


def test_check_mode_tells_a_change_and_makes_none(serve, host):
    before, text = state(host)["MainPID"], unit(host)
    play = serve(context=512, play={"check_mode": True})
    assert "-    --ctx-size 1024" in play.output
    assert "+    --ctx-size 512" in play.output
    assert play.changed == 1
    assert (state(host)["MainPID"], unit(host)) == (before, text)


def test_a_change_of_context(serve, host):
    assert serve(context=512).changed > 0
    assert context(host) == 512
    assert complete(host)
    assert serve(context=512).changed_tasks == []
    serve()
    assert context(host) == 1024


def test_options_that_the_engine_does_not_have_are_refused_before_anything_restarts(serve, host):
    before = state(host)["MainPID"]
    for options, error in (
        ({"no_mmap": True}, "option 'no_mmap' is not in llama.cpp 0.7.0 any more; use load_mode: none"),
        ({"metric": True}, "option 'metric' is not known to llama.cpp 0.7.0; did you mean 'metrics'?"),
        ({"api_key": KEY}, "option 'api_key' would show a secret"),
    ):
        play = serve(llama_server_options=options, play={"must_pass": False})
        assert not play.passed
        assert error in play.output
    assert state(host)["MainPID"] == before


def test_a_model_that_cannot_load_never_stops_the_old_one(serve, host):
    before, text = state(host)["MainPID"], unit(host)
    with asked_all_the_time(host) as statuses:
        play = serve(llama_server_model="/srv/models/broken.gguf", planned_model=MODEL, play={"must_pass": False})
    assert not play.passed
    assert "a trial start of the new setting failed" in play.output
    assert "what served before was not touched" in play.output
    assert "blk.1.attn_q.weight" in play.output  # llama.cpp's own words
    assert len(statuses) > 5
    assert set(statuses) == {"200"}
    assert (state(host)["MainPID"], unit(host)) == (before, text)
    assert host.run("ls /run/systemd/system").stdout.count("trial") == 0


def test_a_missing_gpu_stops_the_service_and_the_old_one_comes_back(serve, host):
    text = unit(host)
    play = serve(llama_server_host=GPU_HOST, play={"must_pass": False})
    assert not play.passed
    assert "invalid device: CUDA0" in play.output
    assert "what served before serves again" in play.output
    assert unit(host) == text
    assert complete(host)
    assert serve().changed_tasks == []


def test_a_missing_gpu_is_never_replaced_by_the_cpu(serve, host):
    play = serve(instance="lonely", llama_server_port=8090, llama_server_host=GPU_HOST, play={"must_pass": False})
    assert "invalid device: CUDA0" in play.output
    assert "nothing is left of it" in play.output
    assert ask(host, "/health", port=8090)[0] == 0
    assert "lonely" not in host.run(TRACES, must_pass=False).stdout


def test_the_unit_of_a_gpu_is_hardened_too(serve, host, tmp_path):
    play = serve(instance="lonely", llama_server_port=8090, llama_server_host=GPU_HOST, play={"check_mode": True})
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


def test_a_killed_server_comes_back(serve, host):
    serve(llama_server_restart_seconds=1)
    before = state(host)["MainPID"]
    host.run(["systemctl", "kill", "--signal=KILL", "llama-server-chat.service"])
    host.wait_for(lambda: state(host)["MainPID"] not in ("0", before) and ask(host, "/health")[0] == 200, 60)
    assert complete(host)
    assert serve(llama_server_restart_seconds=1).changed_tasks == []


def test_a_stopped_server_is_started(serve, host):
    serve()
    host.run(["systemctl", "stop", "llama-server-chat.service"])
    assert serve().changed == 1
    assert complete(host)


def test_a_reboot(serve, host):
    host.reboot()
    host.wait_for(lambda: ask(host, "/health")[0] == 200, 60)
    assert complete(host)
    assert serve().changed_tasks == []


def test_a_port_that_is_taken_is_refused_before_anything_restarts(serve, host):
    host.run("systemd-run --unit=squatter python3 -m http.server --bind 127.0.0.1 8099")
    host.wait_for("curl --silent --output /dev/null http://127.0.0.1:8099/")
    play = serve(llama_server_port=8099, play={"must_pass": False})
    assert "something else listens on 127.0.0.1:8099 already; choose another port" in play.output
    assert complete(host)
    host.run("systemctl stop squatter")


def test_keys(serve, host, module_lab):
    play = serve(llama_server_api_keys=[KEY], play={"arguments": ["-vvv"]})
    assert ask(host, "/v1/models")[0] == 401
    assert ask(host, "/v1/models", key="wrong")[0] == 401
    assert ask(host, "/health")[0] == 200
    assert complete(host, key=KEY)
    pid = state(host)["MainPID"]
    assert KEY not in " ".join(argv(host))
    assert KEY not in host.run(["cat", f"/proc/{pid}/environ"]).stdout
    assert KEY not in host.journal(since_boot=False)
    assert KEY not in play.output
    assert KEY not in unit(host)
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
    assert rotated.changed == 1
    assert ask(host, "/v1/models", key=KEY)[0] == 401
    assert complete(host, key="another-key")
    serve()
    assert ask(host, "/v1/models")[0] == 200


def test_values_cannot_leave_their_place(serve, host):
    hostile = '/srv/models/it\'s 100% "$HOME" ${PATH}\\x.gguf'
    host.run(["cp", MODEL, hostile])
    alias = "a 'b' \"c\" %n $USER ${HOME} \\ ;\n[Service]\nExecStartPre=/bin/touch /tmp/escaped"
    serve(llama_server_model=hostile, planned_model=MODEL, llama_server_options={"alias": alias.replace("\n", " ")})
    assert argv(host)[argv(host).index("--model") + 1] == hostile
    assert argv(host)[argv(host).index("--alias") + 1] == alias.replace("\n", " ")
    serve(
        llama_server_options={"chat_template": alias},
        llama_server_environment={"LAB": 'x" %n $HOME\nUser=root\\'},
    )
    assert argv(host)[argv(host).index("--chat-template") + 1] == alias
    environment = host.run(["cat", f"/proc/{state(host)['MainPID']}/environ"]).stdout.split("\0")
    assert 'LAB=x" %n $HOME\nUser=root\\' in environment
    serve()


def test_two_instances(serve, host, remove):
    serve(instance="other", llama_server_port=8081, llama_server_model="/srv/models/other.gguf")
    assert complete(host)["model"] == "chat"
    assert complete(host, port=8081)["model"] == "other"
    facts = serve().task("Facts")["ansible_facts"]["inference_host"]["instances"]
    assert [(each["name"], each["active"]) for each in facts] == [("chat", True), ("other", True)]
    remove("other")
    assert ask(host, "/health", port=8081)[0] == 0
    assert complete(host)
    assert "other" not in host.run(TRACES, must_pass=False).stdout


SLOW_PYTHON = '#!/bin/sh\n/bin/sleep 4\nexec /usr/bin/python3 "$@"\n'


@pytest.fixture
def slow_start(host):
    """Variables with which an instance needs some seconds until it counts as started."""
    host.write("/usr/local/bin/slow-python", SLOW_PYTHON, mode=0o755)
    return {"llama_server_python": "/usr/local/bin/slow-python"}


def start_and_stop_at(module_lab, host, variables, what_happens):
    """Start the play and do something while the new unit is there and its check has not ended."""
    given = {"llama_server_model": MODEL, "llama_server_port": PORT, "llama_server_binary": "/usr/bin/llama-server"}
    running = module_lab.start_play(PLAY, variables={**given, **variables})
    host.wait_for(lambda: "--ctx-size 768" in unit(host), 60)
    what_happens(running)


def test_the_controller_dies_between_unit_and_start(serve, host, module_lab, slow_start):
    start_and_stop_at(module_lab, host, {"context": 768, **slow_start}, lambda running: running.kill())
    # The host goes on alone: the new setting serves and has been committed
    host.wait_for("grep -q 'ctx-size 768' /var/lib/prositronic/instances/chat.good/unit", 60)
    assert context(host) == 768
    assert serve(context=768, **slow_start).changed_tasks == []
    serve()


def test_the_host_dies_between_unit_and_start(serve, host, module_lab, slow_start):
    def cut(running):
        host.power_off()
        running.wait()

    start_and_stop_at(module_lab, host, {"context": 768, **slow_start}, cut)
    host.power_on()
    host.wait_ready()
    assert "ctx-size 1024" in host.read("/var/lib/prositronic/instances/chat.good/unit")
    # What was broken off does not count as done, and the way back is still known
    play = serve(context=768, llama_server_host=GPU_HOST, allow={"host": False}, play={"must_pass": False})
    assert "what served before serves again" in play.output
    assert context(host) == 1024
    assert serve(context=768).changed > 0
    assert context(host) == 768


def test_uninstall_leaves_nothing(host, remove):
    play = remove()
    assert play.changed > 0
    host.run("rm -f /usr/local/bin/slow-python")
    assert host.run(TRACES, must_pass=False).stdout == ""
    assert remove().changed_tasks == []
