# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Benchmarks side by side: what was kept stays, a table and a picture tell all of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.tests.unit.templar import render

SVG = "{http://www.w3.org/2000/svg}"


def entry(host="one", at="2026-11-22T03:00:00Z", measured=60.0, **changed):
    figure = {"what": "generation", "where": "at 0 tokens", "unit": "tokens_per_second", "deviation": 1.0}
    return {
        "host": host,
        "name": "chat",
        "placement": "gpu",
        "run": {
            "measured_at": at,
            "source": "llama-bench",
            "engine": {"version": "0.7.0", "build": 11669},
            "model": {"id": "a<b>&c", "quant": "Q8_0", "parameters": 5, "bytes": 20},
            "launch": {"ctx_size": 4096},
        },
        "figures": [
            figure | {"low": 50.0, "planned": 100.0, "high": 200.0, "measured": measured, "differs": measured < 50}
        ],
        "advice": [],
        **changed,
    }


def report(entries, earlier=""):
    return render("entries | prositronic.infra.benchmark_report(earlier=earlier)", entries=entries, earlier=earlier)


def marks(picture, kind):
    return list(ET.fromstring(picture).iter(f"{SVG}{kind}"))


def test_hosts_and_days_come_together():
    first = report([entry()])
    second = report([entry("two"), entry(at="2026-12-01T00:00:00Z")], first["results"])
    rows = [line.split()[:1] for line in second["table"][1:]]
    assert rows == [["one"], ["one"], ["two"]]
    assert report([], second["results"]) == second


def test_the_same_benchmark_takes_its_own_place():
    first = report([entry()])
    assert report([entry()], first["results"]) == first


def test_a_figure_outside_of_its_band_is_marked_in_table_and_picture():
    inside, outside = report([entry()]), report([entry(measured=40.0)])
    assert inside["table"][1].startswith("   one") and "60%" in inside["table"][1]
    assert outside["table"][1].startswith("!  one") and "40%" in outside["table"][1]
    # one more of each in the legend
    assert (len(marks(inside["picture"], "circle")), len(marks(inside["picture"], "path"))) == (2, 1)
    assert (len(marks(outside["picture"], "circle")), len(marks(outside["picture"], "path"))) == (1, 2)


def test_half_of_the_plan_lies_as_far_from_it_as_double():
    places = [
        float(marks(report([entry(measured=value)])["picture"], "circle")[1].get("cx"))
        for value in (50.0, 100.0, 200.0)
    ]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)


def test_names_are_no_markup():
    texts = [element.text for element in marks(report([entry()])["picture"], "text")]
    assert any("a<b>&c Q8_0 on gpu" in text for text in texts)


def test_what_advice_there_is_follows_the_table():
    assert report([entry(advice=["It is too hot."])])["table"][-1] == "one, chat: It is too hot."


@pytest.mark.parametrize(
    ("entries", "earlier", "text"),
    [
        ("text", "", "entries: give a list"),
        ([{"host": "one"}], "", r"entries\[0\]: 'name' is missing"),
        ([], "{", "earlier: this is no JSON"),
        ([], '{"entries": [1]}', "earlier.entries"),
    ],
)
def test_other_forms_are_refused_in_a_sentence(entries, earlier, text):
    with pytest.raises(AnsibleError, match=text):
        report(entries, earlier)
