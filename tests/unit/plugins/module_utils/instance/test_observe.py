# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a running server: where it listens, its command without secrets, its counters."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.instance import observe
from ansible_collections.prositronic.infra.plugins.module_utils.instance.files import InstanceFiles
from ansible_collections.prositronic.infra.tests.unit.hosts.tree import Tree

METRICS = """# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 2000
llamacpp:prompt_seconds_total 0.5
llamacpp:tokens_predicted_total 20
llamacpp:tokens_predicted_seconds_total 1e-05
llamacpp:requests_processing 2
other:thing 7
"""


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ([], "http://127.0.0.1:8080"),
        (["--host", "0.0.0.0", "--port", "9000"], "http://127.0.0.1:9000"),
        (["--host", "::1", "--api-prefix", "/a"], "http://[::1]:8080/a"),
        (["--ssl-cert-file", "/c.pem", "--port", "1"], "https://127.0.0.1:1"),
    ],
)
def test_where_a_server_listens(options, url):
    assert observe.address_of(["/usr/bin/llama-server", *options]).url == url


def test_no_secret_of_the_command_is_told():
    words = ["llama-server", "--api-key", "s3cret", "--port", "80", "--hf-token", "t0ken", "--api-key=s3cret"]
    shown = observe.hidden(words)
    assert "s3cret" not in " ".join(shown)
    assert "t0ken" not in " ".join(shown)
    assert shown[:1] + shown[3:5] == ["llama-server", "--port", "80"]


def test_a_rate_needs_enough_tokens():
    rates = observe.rates(observe.metrics(METRICS))
    assert rates["prefill_tokens_per_second"] == 4000
    assert rates["decode_tokens"] == 20
    assert rates["decode_tokens_per_second"] is None
    assert rates["requests_processing"] == 2


def test_a_server_that_counts_nothing_has_no_rates():
    assert observe.rates({}) is None


def test_the_servers_process_is_found_by_its_name_also_in_a_container(tmp_path):
    tree = Tree(tmp_path)
    for pid, program, alias in ((10, "conmon", "chat"), (20, "llama-server", "code"), (30, "llama-server", "chat")):
        tree.process(pid, program, "0::/system.slice/docker-abc.scope\n")
        tree.write(f"/proc/{pid}/cmdline", f"/app/{program}\0--alias\0{alias}\0--port\09000\0")
    server = observe.Server(InstanceFiles("chat", "/var/lib/prositronic", str(tmp_path)), None, None, tree.files)
    assert server.process() == 30
    assert observe.address_of(server.command(30)).port == 9000
