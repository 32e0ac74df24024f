# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a site: valid HTML, light, linked to what is there, and written only when they change."""

from __future__ import annotations

import json
import re

import html5lib
import pytest


def pages(site):
    return sorted(site.rglob("*.html"))


def test_every_page_is_valid_and_light(site):
    assert len(pages(site)) > 30
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        html5lib.HTMLParser(strict=True).parse(text)
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path
        assert path.stat().st_size < 200_000, path


def test_every_link_leads_somewhere(site):
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            if target.startswith("#"):
                assert f'id="{target[1:]}"' in text
            elif not target.startswith("data:"):
                assert not re.match(r"[a-z]+:|//", target), target
                assert (path.parent / target).resolve().is_file(), (path, target)


def test_written_again_nothing_changes_and_what_is_unwanted_goes(tmp_path):
    from ansible_collections.prositronic.infra.plugins.plugin_utils import answers

    selection = {"models": ["qwen3-0.6b"], "quants": ["Q4_K_M", "Q8_0"], "hardware": ["L4"], "context": 4096}
    first = answers.report_site(dest=str(tmp_path), selection=selection)
    (tmp_path / "mine.html").write_text("mine")
    assert first["changed"]
    assert not answers.report_site(dest=str(tmp_path), selection=selection)["changed"]
    fewer = {**selection, "quants": ["Q8_0"]}
    would = answers.report_site(dest=str(tmp_path), selection=fewer, check=True)
    gone = tmp_path / "qwen3-0-6b" / "q4_k_m"
    assert gone.exists()
    done = answers.report_site(dest=str(tmp_path), selection=fewer)
    assert would["removed"] == done["removed"] > 0
    assert not gone.exists()
    assert (tmp_path / "mine.html").exists()
    index = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert [line["path"] for line in index["combinations"]] == ["qwen3-0-6b/q8_0/l4.html"] or len(
        index["combinations"]
    ) == 1


def test_a_refused_selection_is_one_sentence(tmp_path):
    from ansible_collections.prositronic.infra.plugins.plugin_utils import answers

    with pytest.raises(ValueError, match="^no model 'qwen3-0.6bb'; did you mean"):
        answers.report_site(
            dest=str(tmp_path), selection={"models": ["qwen3-0.6bb"], "quants": ["Q8_0"], "hardware": ["L4"]}
        )
    assert list(tmp_path.iterdir()) == []


def test_a_large_fleet_is_on_several_light_pages(tmp_path):
    from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
    from ansible_collections.prositronic.infra.tests import golden

    hosts = {f"gpu{number:04}": golden.host("lambda-gpu-8x-v100") for number in range(400)}
    plans = answers.fleet_fit(hosts, [{"name": "chat", "model": "qwen3-8b", "quant": "Q4_K_M", "context": 4096}])
    answers.report_site(dest=str(tmp_path), fleet=plans, hosts=hosts)
    found = sorted(tmp_path.glob("fleet*.html"))
    assert len(found) > 1
    assert all(path.stat().st_size < 200_000 for path in found)
    shown = [
        name for path in found for name in re.findall(r'<h2 id="[^"]*">(gpu\d+)<', path.read_text(encoding="utf-8"))
    ]
    assert sorted(shown) == sorted(hosts)
    test_every_link_leads_somewhere(tmp_path)
