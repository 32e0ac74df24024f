# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages as a person reads them, in Chromium."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

GIB = 1 << 30
Q3 = "deepseek-v3-1/q3_k_m/hetzner-gex131.html"
Q4_0 = "deepseek-v3-1/q4_0/ovh-ai1-1-gpu.html"
MATRIX = "deepseek-v3-1/index.html"
KINDS = {
    "front": "index.html",
    "matrix": MATRIX,
    "plan": Q3,
    "from-disk": Q4_0,
    "calculator": "calculator.html",
    "fleet": "fleet.html",
}


def table(page, section: str) -> dict[str, str]:
    rows = page.locator(f"section[aria-labelledby={section}] tbody tr")
    return {row.locator("th").inner_text(): row.locator("td").first.inner_text() for row in rows.all()}


def in_gib(text: str) -> float:
    return float(re.fullmatch(r"([\d,.]+) GiB", text)[1].replace(",", ""))


def test_a_large_model_on_one_large_gpu(reader):
    page = reader.open(Q3)
    assert page.locator("h1").inner_text() == "DeepSeek-V3.1 Q3_K_M on Hetzner GEX131"
    facts = table(page, "requirements")
    # llama-quantize's recipe gives 297.34 GiB; publishers' files of that name differ by a little.
    assert facts["Model size"] == "297.3 GiB"
    # 576 values of 2 bytes for each of 61 layers: MLA keeps no more of a token
    assert facts["KV cache"] == f"{576 * 2 * 61 * 32768 / GIB:.2f} GiB"
    assert facts["System RAM"] == "256.0 GiB"
    assert facts["GPU layers"] == "61 of 61"
    assert facts["Backend"] == "cuda13"
    assert facts["Reading from disk"] == "no, only to load"
    assert in_gib(facts["VRAM used"]) <= in_gib(facts["VRAM available"])
    assert in_gib(facts["Minimum RAM"]) <= in_gib(facts["System RAM"])
    assert "GPU and RAM" in page.locator(".lead").inner_text()


def test_a_model_that_memory_does_not_hold(reader):
    page = reader.open(Q4_0)
    facts = table(page, "requirements")
    assert facts["Model size"] == "352.1 GiB"
    # A V100 has compute capability 7.0, which CUDA 13 no longer knows.
    assert facts["Backend"] == "cuda12"
    assert facts["Reading from disk"] == "yes, for every token"
    assert in_gib(facts["VRAM used"]) <= in_gib(facts["VRAM available"])
    assert in_gib(facts["Minimum RAM"]) > in_gib(facts["System RAM"])
    assert "From disk" in page.locator(".lead").inner_text()
    assert page.get_by_text("It starts, but OVHcloud ai1-1-GPU has too little memory for it").count() == 1
    for link in page.locator("#others ~ .columns a").all():
        assert "ovh-ai1-1-gpu" in link.get_attribute("href") or "/q4_0/" in link.get_attribute("href")


def test_the_calculator_page_of_q4_k_m(reader):
    page = reader.open("calculator.html")
    choose(page, model="deepseek-v3-1", quant="Q4_K_M", context="131072", slots="shared", type="f16")
    rows = [[int(td.get_attribute("data-bytes")) for td in row.locator("td").all()] for row in rows_of(page)]
    # The recipe's tensors are 376.71 GiB on disk; on a GPU they are padded by some MiB.
    assert sum(row[0] for row in rows) / GIB == pytest.approx(376.71, abs=0.02)
    assert sum(row[1] for row in rows) == 576 * 2 * 61 * 131072


@pytest.mark.parametrize("path", [Q3, Q4_0])
def test_a_page_does_not_contradict_its_plan(reader, path):
    """What the table, the pictures and the answers say of memory is the same, and sizes have one unit."""
    page = reader.open(path)
    text = page.locator("main").inner_text()
    assert re.search(r"\d GB\b(?!/s)", text) is None
    facts = table(page, "requirements")
    used = in_gib(facts["VRAM used"])
    bars = page.locator(".bars .bar", has_text="GPU").locator(".amount").all_inner_texts()
    assert sum(in_gib(amount.split(" of ")[0]) for amount in bars) == pytest.approx(used, abs=0.1)
    answer = page.locator(".questions p").all_inner_texts()
    assert f"GPUs hold {facts['VRAM used']}" in " ".join(answer)
    assert f"The weights are {facts['Model size']}" in " ".join(answer)


def choose(page, **wanted: str) -> None:
    page.wait_for_selector("#devices tbody tr")
    for name, value in wanted.items():
        field = page.locator(f"#calculator [name={name}]")
        if field.evaluate("e => e.tagName") == "SELECT":
            field.select_option(value)
            if name == "model":
                page.wait_for_function(
                    "slug => document.getElementById('same').textContent.includes(slug)", arg=MODEL_IDS[value]
                )
        else:
            field.fill(value)


MODEL_IDS = {"deepseek-v3-1": "deepseek-v3.1", "qwen3-8b": "qwen3-8b"}


def rows_of(page):
    return page.locator("#devices tbody tr").all()


CHOICES = [
    ("deepseek-v3-1", "Q4_K_M", "131072", "shared", "f16", "NVIDIA H100 SXM5 80 GB", "8", "4096"),
    ("deepseek-v3-1", "Q4_0", "32768", "1", "q8_0", "NVIDIA GeForce RTX 4090", "1", "512"),
    ("deepseek-v3-1", "Q3_K_M", "163840", "shared", "q4_0", "NVIDIA GeForce RTX 4090", "4", "512"),
    ("deepseek-v3-1", "Q4_K_M", "4096", "4", "f16", "", "1", "1024"),
    ("qwen3-8b", "Q4_K_M", "40960", "4", "q8_0", "NVIDIA L4", "2", "64"),
    ("qwen3-8b", "Q3_K_M", "8192", "1", "q4_0", "NVIDIA Tesla T4", "1", "64"),
    ("qwen3-8b", "Q4_0", "16384", "shared", "f16", "", "1", "16"),
]


def test_the_calculator_says_what_the_engine_says(reader):
    """Every figure of the page, to the byte, over choices that reach each placement, cache type and kind of slots."""
    from ansible_collections.prositronic.infra.plugins.plugin_utils import answers

    page = reader.open("calculator.html")
    placements = set()
    for model, quant, context, slots, cache, gpu, count, ram in CHOICES:
        labels = page.locator("#calculator [name=gpu] option").all_inner_texts()
        place = next(i for i, label in enumerate(labels) if label.startswith(f"{gpu}, " if gpu else "no GPU"))
        value = str(place - 1) if place else ""
        choose(
            page, model=model, quant=quant, context=context, slots=slots, type=cache, gpu=value, count=count, ram=ram
        )
        command = page.locator("#same").inner_text()
        launch = json.loads(re.search(r"launch=(\{.*?\}), gpus=", command)[1])
        found = re.search(r"gpus=(\[.*?\])(?: \* (\d+))?\)", command)
        estimate = answers.memory_estimate(MODEL_IDS[model], launch, json.loads(found[1]) * int(found[2] or 1), quant)
        expected = [
            [d["weights_bytes"], d["kv_bytes"], d["compute_bytes"], d["overhead_bytes"], d["total_bytes"]]
            for d in estimate["devices"]
        ]
        host = estimate["host"]
        buffers = host["compute_bytes"] + host["output_bytes"]
        expected.append([host["weights_bytes"], host["kv_bytes"], buffers, 0, host["total_bytes"]])
        shown = [[int(td.get_attribute("data-bytes")) for td in row.locator("td").all()[:5]] for row in rows_of(page)]
        assert shown == expected, command
        placements.add((bool(estimate["devices"]), launch.get("cpu_moe", False)))
    assert placements == {(True, False), (True, True), (False, False)}


def test_a_pasted_config(reader):
    page = reader.open("calculator.html")
    choose(page, model="deepseek-v3-1", quant="Q4_K_M", context="32768", slots="1", type="f16")
    config = {
        "model_type": "qwen3",
        "hidden_size": 4096,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 12288,
        "vocab_size": 151936,
    }
    page.locator("#pasted").fill(json.dumps(config))
    page.get_by_text("This is the shape of").wait_for()
    assert page.locator("#calculator [name=model]").input_value() == "qwen3-8b"
    page.locator("#pasted").fill(json.dumps({**config, "num_hidden_layers": 40}))
    page.get_by_text("KV cache for").wait_for()
    # 40 layers of 8 heads of 128, keys and values in two bytes
    size = 40 * 8 * 128 * 2 * 2 * 32768 / GIB
    assert f"{size:.2f} GiB, exact" in page.locator("#estimate").inner_text()
    page.locator("#pasted").fill(json.dumps({**config, "num_hidden_layers": 40, "sliding_window": 4096}))
    page.get_by_text(f"{size:.2f} GiB, an upper bound").wait_for()
    for wrong in ("{", "[]", '{"hidden_size": "<b>4096</b>"}'):
        page.locator("#pasted").fill(wrong)
        page.get_by_text("This is not a config.json that the page can read").wait_for()


def visible(page) -> list[str]:
    return page.locator("#matrix-table tbody tr:visible th").evaluate_all("e => e.map(th => th.dataset.v)")


def test_the_matrix_filters(reader):
    page = reader.open(MATRIX)
    everything = visible(page)
    assert len(everything) == 6
    page.get_by_label("Machine", exact=True).fill("hetz")
    assert visible(page) == ["Hetzner GEX131"]
    assert page.locator("output[data-count]").inner_text() == "1 of 6"
    page.get_by_label("Machine", exact=True).fill("")
    page.get_by_label("Shows").select_option("disk")
    # DeepSeek V3.1 in 4 bits fits none of the servers, but a GPU beside 1 TiB of RAM.
    assert "OVHcloud ai1-1-GPU" in visible(page)
    assert "NVIDIA L4" not in visible(page)
    page.get_by_label("Shows").select_option("")
    assert visible(page) == everything
    reader.keep(page, "matrix-filtered")


def test_the_matrix_sorts_by_mouse_and_by_keyboard(reader):
    page = reader.open(MATRIX)
    head = page.locator("thead th", has_text="GPU GiB")
    head.get_by_role("button").click()
    sizes = page.locator("#matrix-table tbody tr td:nth-child(2)").evaluate_all("e => e.map(c => Number(c.dataset.v))")
    assert sizes == sorted(sizes, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    again = page.locator("#matrix-table tbody tr td:nth-child(2)").evaluate_all("e => e.map(c => Number(c.dataset.v))")
    assert again == sorted(sizes)
    assert head.get_attribute("aria-sort") == "ascending"


def test_the_matrix_reads_without_colour(reader):
    """Each cell has a sign and a word of its own besides the colour."""
    page = reader.open(MATRIX)
    seen = {}
    for cell in page.locator("#matrix-table tbody td:not(.n)").all():
        seen.setdefault(cell.get_attribute("class"), set()).add(
            (cell.locator("span").first.text_content(), cell.locator(".hidden").text_content())
        )
    assert len(seen) > 1
    assert all(len(signs) == 1 for signs in seen.values())
    assert len(set.union(*seen.values())) == len(seen)


def test_a_machine_of_unknown_memory_is_not_said_to_fail(reader):
    page = reader.open("qwen3-8b/q4_0/lambda-gpu-1x-a10.html")
    assert "Not planned" in page.locator(".lead").inner_text()
    assert "RAM of server" in page.locator(".lead").inner_text()
    assert page.locator(".none").count() == 0


def test_the_fleet_shows_problems_first(reader):
    page = reader.open("fleet.html")
    with_problems = page.locator(".host").evaluate_all("e => e.map(host => Boolean(host.querySelector('.problems')))")
    assert with_problems == sorted(with_problems, reverse=True)
    names = page.locator(".host h2").all_inner_texts()
    assert names[-1] == "a-fine"
    slow = page.locator(".host").filter(has=page.get_by_role("heading", name="slow", exact=True))
    assert "0.5 tokens/s were measured" in slow.locator(".problems").inner_text()
    assert "0.5 tokens/s (2026-11-20)" in slow.locator("table").inner_text()
    lost = page.locator(".host").filter(has=page.get_by_role("heading", name="lost", exact=True))
    assert "no facts" in lost.locator(".problems").inner_text()


def test_names_with_markup_stay_text(reader):
    from ansible_collections.prositronic.infra.tests.browser.conftest import MARKUP_HOST, MARKUP_PROBLEM

    page = reader.open("fleet.html")
    assert page.title() == "Fleet"
    assert page.locator("main img, main script").count() == 0
    host = page.locator(".host").filter(has=page.get_by_role("heading", name=MARKUP_HOST))
    assert host.locator(".problems li").first.inner_text() == MARKUP_PROBLEM


def test_what_is_copied(reader):
    page = reader.open(Q3)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block = page.locator(".code", has=page.locator("#values-text"))
    block.get_by_role("button").click()
    page.get_by_text("Copied").wait_for()
    values = (page.evaluate("navigator.clipboard.readText()")).splitlines()
    assert any(line.startswith("release:") for line in values)
    assert values == block.locator("pre").text_content().splitlines()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
@pytest.mark.parametrize("kind", KINDS)
def test_everybody_can_use_it(reader, kind, scheme, width):
    """Labels, contrast, headings and what else axe finds, on a screen and on a phone, which shows all of the page's width."""
    page = reader.open(KINDS[kind], width, scheme)
    if kind == "calculator":
        page.wait_for_selector("#devices tbody tr")
    reader.keep(page, f"{kind}-{scheme}-{width}")
    found = Axe().run(page, options={"preload": False}).response["violations"]
    assert [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper(reader):
    page = reader.open(Q3)
    page.emulate_media(media="print")
    reader.keep(page, "plan-print")
    assert page.locator(".code button:visible").count() == 0
    # All of a command is on paper, since nobody can scroll it there.
    assert page.locator("#values-text").evaluate(
        "e => e.scrollHeight <= e.clientHeight + 1 && e.scrollWidth <= e.clientWidth"
    )
