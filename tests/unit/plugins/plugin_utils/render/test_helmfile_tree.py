# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tree of values to publish: what has a file, what has none and why, and that nothing else is touched."""

from __future__ import annotations

import json

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access as catalog

SELECTION = {
    "models": ["qwen3-8b", "deepseek-v3.1", "hunyuan-a13b"],
    "quants": ["Q4_K_M", "Q8_0"],
    "hardware": ["L4", "hetzner-gex131", "aws-g4dn.metal"],
    "context": 4096,
    "allow": {"disk": False},
}


def publish(folder, **changes):
    return answers.helmfile_values_tree(str(folder), **{**SELECTION, **changes})


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    return folder, publish(folder)


def test_paths_are_slugs(tree):
    assert set(contents(tree[0])) == {
        "index.json",
        "values/qwen3-8b/q4_k_m/nvidia-l4.yaml",
        "values/qwen3-8b/q4_k_m/hetzner-gex131.yaml",
        "values/qwen3-8b/q8_0/nvidia-l4.yaml",
        "values/qwen3-8b/q8_0/hetzner-gex131.yaml",
        "values/deepseek-v3-1/q4_k_m/nvidia-l4.yaml",
        "values/deepseek-v3-1/q8_0/nvidia-l4.yaml",
    }


def test_the_index_has_a_line_for_each_combination(tree):
    folder, answer = tree
    lines = (folder / "index.json").read_text(encoding="utf-8").splitlines()
    index = json.loads("\n".join(lines))
    assert index["data_date"] == catalog.data_date()
    assert [json.loads(line.rstrip(",")) for line in lines[1:-1]] == index["combinations"]
    assert len(index["combinations"]) == 3 * 2 * 3
    assert {entry["path"] for entry in index["combinations"]} - {None} == set(contents(folder)) - {"index.json"}
    assert (answer["files"], answer["written"], len(answer["without"])) == (6, 6, 12)


def test_what_cannot_run_says_why(tree):
    why = {(entry["model"], entry["quant"], entry["hardware"]): entry["why"] for entry in tree[1]["without"]}
    assert "the RAM of server 'aws-g4dn.metal' is not known" in why["qwen3-8b", "Q4_K_M", "aws-g4dn-metal"]
    assert "no GGUF repository of it is known" in why["hunyuan-a13b", "Q4_K_M", "nvidia-l4"]
    assert "GiB of weights" in why["deepseek-v3-1", "Q8_0", "hetzner-gex131"]  # 665 GiB, into 96 and 256


def test_a_gpu_alone_asks_for_the_ram_that_the_plan_needs(tree):
    text = (tree[0] / "values/deepseek-v3-1/q4_k_m/nvidia-l4.yaml").read_text(encoding="utf-8")
    memory = next(line for line in text.splitlines() if line.strip().startswith("memory:"))
    assert 350 * 1024 < int(memory.split('"')[1].removesuffix("Mi")) < 400 * 1024  # 376.7 GiB less what the L4 takes


def test_equal_data_give_equal_bytes_and_change_nothing(tree, tmp_path):
    publish(tmp_path)
    assert contents(tmp_path) == contents(tree[0])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert publish(tmp_path)["changed"] is False
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_left_the_selection_is_removed_and_nothing_else(tmp_path):
    publish(tmp_path, models="qwen3-8b")
    own = tmp_path / "values" / "qwen3-8b" / "q8_0" / "own.txt"
    own.write_text("mine")
    outside = tmp_path / "secret.yaml"
    outside.write_text("mine")
    index = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    index["combinations"].append({"path": "values/../secret.yaml"})
    (tmp_path / "index.json").write_text(json.dumps(index))
    answer = publish(tmp_path, models="qwen3-8b", quants="Q4_K_M")
    assert answer["removed"] == 2
    assert set(contents(tmp_path)) == {
        "index.json",
        "secret.yaml",
        "values/qwen3-8b/q4_k_m/nvidia-l4.yaml",
        "values/qwen3-8b/q4_k_m/hetzner-gex131.yaml",
        "values/qwen3-8b/q8_0/own.txt",
    }


def test_check_mode_writes_nothing(tmp_path):
    answer = publish(tmp_path / "new", models="qwen3-8b", check=True)
    assert (answer["changed"], answer["written"]) == (True, 4)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"models": "qwen3-8c"}, "no model 'qwen3-8c'; did you mean qwen3-8b"),
        ({"hardware": ["L5"]}, "hardware: no gpu 'L5'"),
        ({"quants": "Q4_K_X"}, "no quant 'Q4_K_X'"),
        ({"models": []}, r"arguments.models"),
        ({"colour": "blue"}, "unknown key 'colour'"),
    ],
)
def test_a_mistyped_name_stops_everything(tmp_path, changes, error):
    with pytest.raises(ValueError, match=error):
        publish(tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def test_slugs_of_gpus_and_servers_are_different():
    slugs = [catalog.gpu(name)["slug"] for name in catalog.names("gpu")]
    slugs += [catalog.server(name)["slug"] for name in catalog.names("server")]
    assert len(set(slugs)) == len(slugs)
