# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the pages share: a site with the first pages' combinations and a fleet, and a browser that is watched.

The collection is imported within the fixtures, since only then is it known by its name.
"""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

SELECTION = {
    "models": ["deepseek-v3.1", "qwen3-8b"],
    "quants": ["Q3_K_M", "Q4_0", "Q4_K_M"],
    # The RAM of the server of Lambda is not known.
    "hardware": ["hetzner-gex131", "ovh-ai1-1-gpu", "aws-g6.12xlarge", "T4", "L4", "lambda-gpu-1x-a10"],
    "context": 32768,
}
# Names and texts that would do harm if they were taken for markup.
MARKUP_HOST = '<img src="x" onerror="document.title=1">'
MARKUP_PROBLEM = "<script>document.title = 'harmed'</script> & more"
MODELS = [
    {"name": "chat", "model": "qwen3-8b", "quant": "Q4_K_M", "context": 32768},
    {"name": "big", "model": "deepseek-v3.1", "quant": "Q3_K_M", "context": 32768},
]
BUILD_OF_0_7_0 = 11669


@pytest.fixture(scope="session")
def fleet():
    """Facts of five hosts and their plans: one without a problem, one without facts, one slower than it should be."""
    from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
    from ansible_collections.prositronic.infra.tests import golden

    hosts = {
        "a-fine": golden.host("hetzner-gex131"),
        MARKUP_HOST: {**golden.host("hetzner-gex131"), "problems": [MARKUP_PROBLEM]},
        "broken": golden.host("broken-driver"),
        "lost": None,
        "slow": copy.deepcopy(golden.host("two-l4-one-in-use")),
    }
    plans = answers.fleet_fit(hosts, MODELS)
    plan = plans["plans"][plans["hosts"]["slow"]["chat"]]
    hosts["slow"]["measured"] = {"schema": 1, "runs": [measured(plan)]}
    return hosts, plans


def measured(plan):
    """A run of a plan that generated one token in two seconds, far below any band."""
    model = {key: plan["model"][key] for key in ("id", "parameters", "bytes")} | {"quant": plan["quant"]["name"]}
    return {
        "measured_at": "2026-11-20T10:00:00Z",
        "source": "llama-server",
        "plan_id": plan["plan_id"],
        "engine": {"version": "0.7.0", "build": BUILD_OF_0_7_0},
        "model": model,
        "launch": plan["launch"],
        "rates": [{"depth": 0, "decode_tokens_per_second": 0.5}],
    }


@pytest.fixture(scope="session")
def site(tmp_path_factory, fleet):
    from ansible_collections.prositronic.infra.plugins.plugin_utils import answers

    folder = tmp_path_factory.mktemp("site")
    hosts, plans = fleet
    answers.report_site(
        dest=str(folder), base_url="https://www.prositronic.eu", selection=SELECTION, fleet=plans, hosts=hosts
    )
    return folder


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("Chromium is not on this machine: install the package chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Reader:
    """A person at the browser; what the pages say to its console and ask of the network is kept."""

    def __init__(self, browser, site: Path, shots: Path) -> None:
        self._browser = browser
        self._site = site
        self._shots = shots
        self._contexts = []
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open(self, path: str, width: int = 1200, scheme: str = "light"):
        context = self._browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(f"{path}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"{path}: {error}"))
        page.on("requestfailed", lambda request: self.complaints.append(f"{path}: {request.url} failed"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto((self._site / path).as_uri())
        return page

    def keep(self, page, name: str) -> None:
        page.screenshot(path=self._shots / f"{name}.png", full_page=True)

    def leave(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture(scope="session")
def shots():
    """Where screenshots are kept, for people to look at after a run."""
    folder = Path(os.environ.get("BROWSER_SCREENSHOTS") or ROOT / "tests" / "output" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def reader(browser, site, shots):
    """Fails the test if a page complained, or asked anything of the network."""
    person = Reader(browser, site, shots)
    yield person
    person.leave()
    assert person.complaints == []
    assert [url for url in person.requests if not url.startswith(("file://", "data:"))] == []
