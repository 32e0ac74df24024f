# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide's page about AWX, its commands run as they are written, but for those that need an AWX."""

from __future__ import annotations

import os

import pytest
from ansible_collections.prositronic.infra.tests.awx.conftest import PROGRAMS, artifacts
from ansible_collections.prositronic.infra.tests.guide import pages

pytestmark = pytest.mark.long


def test_every_command_says_what_it_needs():
    told = {
        block.name
        for page in pages.FOLDER.glob("*.md")
        for block in pages.blocks(page.name)
        if block.language == "shell"
    }
    assert told == pages.KINDS | pages.NOT_RUN


def test_the_page_about_awx(collections, tmp_path):
    home = tmp_path / "home"
    (home / ".ansible").mkdir(parents=True)
    (home / ".ansible" / "collections").symlink_to(collections)
    environment = {"HOME": str(home), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
    page = tmp_path / "page"
    page.mkdir()
    pages.follow("awx.md", page, environment, {""})
    assert (page / "inference" / "context" / "Containerfile").is_file()
    (line,) = artifacts(page / "inference" / "job")["inference_summary"]
    assert (line["model"], line["placement"], line["context"]) == ("qwen3-30b-a3b", "gpu", 32768)
