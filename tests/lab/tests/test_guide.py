# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide's page about hosts, its commands run as they are written, with hosts and a model of the lab's."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
from lab.gguf_models import write_random_llama
from lab.host import Machine
from lab.paths import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "tests"))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.tests.guide import pages

pytestmark = pytest.mark.long


def test_the_page_about_hosts(module_lab, tmp_path):
    hosts = module_lab.boot(*(Machine(f"gpu0{number}", "forky", packages=("llama.cpp-tools",)) for number in (1, 2)))
    model = write_random_llama(tmp_path / "chat.gguf")
    source = {
        "url": module_lab.file_server().publish("/chat.gguf", model),
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    entry = {"name": "chat", "source": {"files": [source]}, "context": 512, "parallel": 1, "reserve": {"ram_bytes": 0}}
    inventory = json.loads(module_lab.inventory("operator").read_text(encoding="utf-8"))["all"]
    own = {
        "inventory.yml": json.dumps({"gpu": inventory}) + "\n",
        # A model that the catalog does not have is planned by its file, which is brought first
        "models.yml": json.dumps({"inference_models": [{**entry, "model": "qwen3-0.6b", "quant": "Q8_0"}]}) + "\n",
    }
    home, page = tmp_path / "home", tmp_path / "page"
    home.mkdir()
    page.mkdir()
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(module_lab.state / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    _keys, looked, served, asked, again = pages.follow(
        "hosts.md", page, settings, {"", "hosts"}, own, before=module_lab.enter
    )
    assert "qwen3-0.6b" in looked
    assert sorted(path.stem for path in (page / "plans").iterdir()) == [host.name for host in hosts]
    assert "gpu02: chat at http://127.0.0.1:8080" in served
    assert asked.count('"status": 200') == len(hosts)
    assert "changed=0" in again and "changed=1" not in again
