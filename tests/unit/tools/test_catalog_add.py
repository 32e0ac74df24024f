# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The maintainers' command that adds a model to the catalog."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.tests.conformance.measured import rows
from ansible_collections.prositronic.infra.tests.unit import gguf_files
from ansible_collections.prositronic.infra.tools.catalog import command

# As https://huggingface.co/Qwen/Qwen3-8B has it.
QWEN3_8B = {
    "architectures": ["Qwen3ForCausalLM"],
    "head_dim": 128,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000,
    "tie_word_embeddings": False,
    "vocab_size": 151936,
}
ABOUT = ["--name", "Mine", "--vendor", "Me", "--source", "https://example.org", "--licence", "mit"]


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """A catalog of one model, to be changed."""
    data = tmp_path / "data"
    for kind in access.NAMED_KINDS:
        (data / access.KINDS[kind]).mkdir(parents=True)
    shutil.copy(access.DATA / "models" / "qwen3-4b.yaml", data / "models")
    monkeypatch.setattr(access, "DATA", data)
    access._names.cache_clear()
    access._load.cache_clear()
    yield data / "models"
    access._names.cache_clear()
    access._load.cache_clear()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(QWEN3_8B), encoding="utf-8")
    return path


def test_a_model_from_its_config(catalog, config, capsys):
    assert command.main(["add", "mine-8b", "--config", str(config), "--alias", "mine", *ABOUT]) == 0
    assert capsys.readouterr().out == f"{catalog}/mine-8b.yaml\n"
    access._names.cache_clear()
    entry = access.model("Mine")
    assert (entry["id"], entry["slug"], entry["trained_context"]) == ("mine-8b", "mine-8b", 40960)
    assert entry["parameters"] == 8_190_735_360  # as the repository says


def test_a_model_from_a_gguf_header(catalog, tmp_path):
    """The measured Llama 3.2 1B: its tied embeddings and rope factors show only in its tensors."""
    row = next(row for row in rows("models") if row["model"] == "llama3-2-1b")
    metadata = {key: value for key, value in row["metadata"].items() if key != "llama.vocab_size"}
    metadata["tokenizer.ggml.tokens"] = [str(number) for number in range(128256)]
    tensors = [gguf_files.TensorSpec(kind, tuple(shape), name) for name, shape, kind in row["tensors"]]
    path = gguf_files.write(tmp_path / "m.gguf", metadata, tensors)
    assert command.main(["add", "mine-1b", "--gguf", str(path), *ABOUT]) == 0
    entry = yaml.safe_load((catalog / "mine-1b.yaml").read_text(encoding="utf-8"))
    assert entry["metadata"]["checkpoint.tied_embeddings"] is True
    assert entry["metadata"]["checkpoint.rope_factors"] == "llama3"
    assert entry["metadata"]["llama.vocab_size"] == 128256
    assert entry["metadata"]["llama.attention.layer_norm_rms_epsilon"] == 1e-5
    assert not any(key.startswith(("tokenizer.", "general.name")) for key in entry["metadata"])


def test_an_entry_that_is_there_is_not_written_over(catalog, config, capsys):
    before = (catalog / "qwen3-4b.yaml").read_bytes()
    assert command.main(["add", "qwen3-4b", "--config", str(config), *ABOUT]) == 1
    assert capsys.readouterr().err == (
        "tools/catalog: model 'qwen3-4b' is in the catalog; edit qwen3-4b.yaml instead\n"
    )
    assert (catalog / "qwen3-4b.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mine-8b", "--alias", "Qwen/qwen3-4b", "--alias", "qwen3-4b"], "are both called 'qwen3-4b'"),
        (["../mine"], "id"),
        (["mine-8b", "--capability", "flying"], "capabilities"),
        (["mine-8b", "--hf-repo", "nowhere"], "hf_repo"),
    ],
)
def test_nothing_is_left_of_an_entry_that_is_refused(catalog, config, capsys, arguments, sentence):
    assert command.main(["add", *arguments, "--config", str(config), *ABOUT]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert [path.name for path in catalog.parent.rglob("*.yaml")] == ["qwen3-4b.yaml"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"architectures": ["Nobody"]}'])
def test_a_config_that_says_nothing_is_refused(catalog, tmp_path, capsys, text):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert command.main(["add", "mine", "--config", str(tmp_path / "config.json"), *ABOUT]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_tensors_that_are_not_known_are_refused(catalog, tmp_path, capsys):
    row = next(row for row in rows("models") if row["model"] == "llama3-2-1b")
    tensors = [gguf_files.TensorSpec(kind, tuple(shape), name) for name, shape, kind in row["tensors"]]
    tensors.append(gguf_files.TensorSpec("F32", (64,), "blk.0.attn_surprise.weight"))
    path = gguf_files.write(tmp_path / "m.gguf", row["metadata"], tensors)
    assert command.main(["add", "mine", "--gguf", str(path), *ABOUT]) == 1
    assert "1 of its tensors are not those that 'llama' is known to have, such as 'blk.0.attn_surprise.weight'" in (
        capsys.readouterr().err
    )


def test_a_file_that_is_not_there_is_named(catalog, capsys):
    assert command.main(["add", "mine", "--gguf", "/nowhere.gguf", *ABOUT]) == 1
    assert "/nowhere.gguf" in capsys.readouterr().err
