# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances of llama-server on hosts of a lab, as tests see them: unit, process, answers; and the plans they are made from."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .host import Host
    from .laboratory import Lab

# Debian's llama.cpp with all that tests use of it. One list for all tests is one image to build.
ENGINE = ("llama.cpp-tools", "llama.cpp-tools-extra", "libggml0-backend-vulkan", "mesa-vulkan-drivers")

PLAN = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Facts
      prositronic.infra.gpu_facts:
    - name: Header
      prositronic.infra.gguf_info:
        path: "{{ model_path }}"
      register: header
    - name: Plan
      prositronic.infra.model_fit:
        model: "{{ header.gguf }}"
        host: "{{ item.host | default(ansible_facts['inference_host']) }}"
        name: "{{ item.name | default('chat') }}"
        context: "{{ item.context | default(1024) }}"
        parallel: 1
        allow: "{{ item.allow | default({}) }}"
        reserve: {ram_bytes: 0}
      loop: "{{ wishes }}"
      loop_control:
        label: "{{ item.context | default(1024) }}"
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
"""
SERVE = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Serve
      ansible.builtin.include_role:
        name: prositronic.infra.llama_server
"""


def plans(
    lab: Lab, model_path: str, wishes: Sequence[Mapping[str, Any]], play: str = PLAN
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Plans of a model on a host, one for each wish, of one thread each, and the host's facts.

    play: PLAN for another pattern of hosts, where the lab has several.
    A wish may have `host` (another machine than the one asked), `name`, `context` (1024) and `allow`.
    """
    ran = lab.play(play, variables={"model_path": model_path, "wishes": list(wishes)})
    made = [each["plan"] for each in ran.task("Plan")["results"]]
    for plan in made:
        # More threads than idle processors wait for each other
        plan["launch"]["threads"] = 1
    return made, ran.task("Facts")["ansible_facts"]["inference_host"]


class Instance:
    """What is seen of an instance from its host; it need not be there."""

    def __init__(self, host: Host, name: str = "chat", port: int = 8080, scheme: str = "http") -> None:
        self.host = host
        self.name = name
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.service = f"llama-server-{name}.service"

    @property
    def unit(self) -> str:
        """The text of its unit."""
        return self.host.read(f"/etc/systemd/system/{self.service}")

    @property
    def state(self) -> dict[str, str]:
        """What systemd says of it."""
        text = self.host.run(["systemctl", "show", self.service]).stdout
        return dict(line.partition("=")[::2] for line in text.splitlines())

    @property
    def pid(self) -> str:
        """The number of its process, "0" when there is none."""
        return self.state["MainPID"]

    @property
    def argv(self) -> list[str]:
        """The arguments of its process."""
        return self.host.run(["cat", f"/proc/{self.pid}/cmdline"]).stdout.split("\0")[:-1]

    @property
    def environment(self) -> list[str]:
        """The environment of its process, as NAME=VALUE."""
        return self.host.run(["cat", f"/proc/{self.pid}/environ"]).stdout.split("\0")[:-1]

    @property
    def exposure(self) -> float:
        """How systemd-analyze rates its unit, from 0 (none) to 10."""
        text = self.host.run(["systemd-analyze", "security", "--no-pager", self.service], must_pass=False).stdout
        return float(text.rsplit(f"level for {self.service}:", 1)[1].split()[0])

    def ask(self, path: str, body: Any = None, key: str | None = None) -> tuple[int, str]:
        """Status and answer of a request made on the host itself, where the loopback is; status 0 is no answer."""
        words = ["curl", "--silent", "--insecure", "--max-time", "60", "--write-out", "\n%{http_code}"]
        words += ["--json", json.dumps(body)] if body is not None else []
        words += ["--header", f"Authorization: Bearer {key}"] if key is not None else []
        answer, _, status = self.host.run([*words, f"{self.url}{path}"], must_pass=False).stdout.rpartition("\n")
        return int(status), answer

    @property
    def health(self) -> int:
        """The status of /health, 0 when nobody answers."""
        return self.ask("/health")[0]

    def complete(self, key: str | None = None, model: str | None = None) -> dict[str, Any]:
        """A real chat completion of four tokens."""
        body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, **({"model": model} if model else {})}
        status, answer = self.ask("/v1/chat/completions", body, key)
        assert status == 200, answer
        return dict(json.loads(answer))

    @property
    def context(self) -> int:
        """The context that it serves with."""
        return int(json.loads(self.ask("/props")[1])["default_generation_settings"]["n_ctx"])

    @contextlib.contextmanager
    def asked_all_the_time(self) -> Iterator[list[str]]:
        """For the length of a block somebody on the host asks it again and again; gives the list of statuses."""
        statuses: list[str] = []
        asking = f"while :; do curl -s -o /dev/null -w '%{{http_code}}\\n' {self.url}/health; sleep 0.1; done"
        self.host.run(["systemd-run", "--quiet", "--unit=asking", "sh", "-c", f"({asking}) >> /tmp/asked"])
        try:
            yield statuses
        finally:
            self.host.run("systemctl stop asking.service")
            statuses += self.host.read("/tmp/asked").split()
            self.host.run("rm /tmp/asked")
