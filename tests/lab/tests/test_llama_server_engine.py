# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook site on a host that has nothing yet: the engine comes as a package, then as an archive."""

from __future__ import annotations

import pytest
from lab.gguf_models import write_random_llama
from lab.instances import Instance

pytestmark = pytest.mark.long

ARCHIVE = "http://127.0.0.1:8111/llama.tar.gz"


@pytest.fixture(scope="module")
def host(module_lab, tmp_path_factory):
    module_lab.package_cache()
    host = module_lab.host("bare", "forky", disk_bytes=1 << 30)
    model = write_random_llama(tmp_path_factory.mktemp("models") / "random.gguf")
    host.push(model, "/srv/models/random.gguf")
    return host


@pytest.fixture(scope="module")
def chat(host):
    return Instance(host)


@pytest.fixture(scope="module")
def site(module_lab, host):
    def run(*, play=None, **more):
        entry = {"name": "chat", "source": {"path": "/srv/models/random.gguf"}, "context": 512, "parallel": 1}
        variables = {"inference_models": [entry | {"reserve": {"ram_bytes": 0}}], **more}
        return module_lab.play("prositronic.infra.site", variables=variables, **(play or {}))

    return run


def test_check_mode_on_a_host_that_has_nothing(site, host):
    play = site(play={"check_mode": True})
    assert "+ExecStart=/usr/bin/llama-server" in play.output
    # apt does not look for new packages in check mode, and says so
    assert host.run("ls /usr/bin/llama-server /var/lib/prositronic", must_pass=False).stdout == ""


def test_the_engine_as_a_package(site, host, chat):
    play = site()
    # No GPU, no toolkit for it
    assert not [each for each in play.results if each.status == "ok" and "toolkit" in each.task]
    assert chat.argv[0] == "/usr/bin/llama-server"
    assert chat.complete()
    assert site().changed_tasks == []


def test_the_engine_as_an_archive(site, host, chat):
    # The package's own program; its libraries stay where they are
    host.run("mkdir -p /srv/www /srv/llama-0.7.0 && cp /usr/bin/llama-server /srv/llama-0.7.0")
    host.run("tar -C /srv -czf /srv/www/llama.tar.gz llama-0.7.0")
    host.run("systemd-run --unit=mirror python3 -m http.server --bind 127.0.0.1 --directory /srv/www 8111")
    host.wait_for("curl --silent --output /dev/null http://127.0.0.1:8111/")
    sha256 = host.run("sha256sum /srv/www/llama.tar.gz").stdout.split()[0]
    before = chat.pid
    wrong = {"cpu": {"url": ARCHIVE, "sha256": "0" * 64}}
    play = site(llama_server_archives=wrong, play={"must_pass": False})
    assert "checksum" in play.output
    assert chat.pid == before
    archives = {"cpu": {"url": ARCHIVE, "sha256": sha256}}
    site(llama_server_archives=archives)
    assert chat.argv[0] == f"/opt/prositronic/llama.cpp/{sha256[:12]}/llama-0.7.0/llama-server"
    assert chat.complete()
    host.run("systemctl stop mirror")
    assert site(llama_server_archives=archives).changed_tasks == []
