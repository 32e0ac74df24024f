# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new model of the catalog, from a Hugging Face config.json or from the header of a GGUF file."""

from __future__ import annotations

import itertools
import json
import math
import pathlib
import re
import typing as t

from ...plugins.module_utils import gguf
from ...plugins.module_utils.gguf_header import GGUFError
from ...plugins.plugin_utils import architecture
from ...plugins.plugin_utils.catalog import access
from ...plugins.plugin_utils.model import from_gguf, from_hf_config
from . import entry_text, names

# What a GGUF file shows only through its tensors (architecture/hyperparameters.py), in the order it is tried.
_CHECKPOINT: dict[str, tuple[t.Any, ...]] = {
    "tied_embeddings": (True, False),
    "rope_factors": ("llama3", "longrope", "none"),
    "attention_bias": ("qkv", "qkvo", ""),
    "qk_norm": (True, False),
    "feed_forward_bias": (True, False),
    "key_is_value": (True,),
    "ssm_norm": (True, False),
    "nextn_embeddings": (True, False),
}
_TOGETHER = 3  # so many of them differ from an architecture's defaults at once


class CannotAdd(ValueError):
    """The entry cannot be made; the text says why and what to do."""


def model(identifier: str, about: dict[str, t.Any], metadata: dict[str, t.Any]) -> pathlib.Path:
    """Write the entry of a model and the files of names; return the entry's path.

    :param about: `name, vendor, hf_repo, licence, aliases, capabilities, active_parameters, published_parameters, sources`.
    :raises CannotAdd: there is such an entry already.
    :raises ValueError: the metadata describe no model whose tensors are known, or a name is taken.
    """
    path = access.DATA / access.KINDS["model"] / f"{identifier}.yaml"
    if path.exists():
        raise CannotAdd(f"model '{identifier}' is in the catalog; edit {path.name} instead")
    prefix = metadata["general.architecture"]
    entry = {
        "id": identifier,
        "slug": re.sub("[^a-z0-9]+", "-", identifier.lower()).strip("-"),
        **about,
        "parameters": sum(math.prod(tensor.shape) for tensor in architecture.tensors(metadata)),
        "trained_context": metadata.get(f"{prefix}.context_length"),
        "modality": ["text", "image"] if "vision" in about["capabilities"] else ["text"],
        "nextn_layers": metadata.get(f"{prefix}.nextn_predict_layers", 0),
        "metadata": metadata,
    }
    path.write_text(entry_text.text("model", entry), encoding="utf-8")
    try:
        names.write()
    except access.CatalogError:
        path.unlink()  # nothing half done: without names the entry is not found
        raise
    return path


def metadata_of_config(path: pathlib.Path) -> dict[str, t.Any]:
    """Return the GGUF keys of a config.json.

    :raises CannotAdd: the file cannot be read.
    :raises ContractError: it describes an architecture that is not known here.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotAdd(f"{path}: cannot be read as JSON ({type(error).__name__})") from error
    return _describing(from_hf_config.metadata(config))


def metadata_of_gguf(path: pathlib.Path) -> dict[str, t.Any]:
    """Return the keys of a GGUF file, with `checkpoint.` keys so that its very tensors follow from them.

    :raises CannotAdd: the file cannot be read, or its tensors are not those that its architecture is known to have.
    """
    try:
        header = gguf.read(str(path)).value()
    except (GGUFError, OSError) as error:
        raise CannotAdd(str(error)) from error
    metadata = {key: _shortest(value) for key, value in _describing(header["metadata"]).items()}
    prefix = metadata["general.architecture"]
    vocabulary = header["metadata"].get("tokenizer.ggml.tokens")
    metadata.setdefault(f"{prefix}.vocab_size", vocabulary)
    held = {(tensor.name, tensor.shape) for tensor in from_gguf.parse_tensors(header["tensors"])}
    fewest: set[tuple[str, tuple[int, ...]]] = held
    for extra in _checkpoints():
        tried = metadata | extra
        try:
            differing = held ^ {(tensor.name, tensor.shape) for tensor in architecture.tensors(tried)}
        except ValueError:
            continue
        if not differing:
            return tried
        fewest = min(fewest, differing, key=len)
    example = min(fewest)[0]
    raise CannotAdd(
        f"{path}: {len(fewest)} of its tensors are not those that '{prefix}' is known to have, such as '{example}';"
        " describe them in plugin_utils/architecture first"
    )


def _describing(metadata: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the keys that describe the architecture, without name, licence and tokenizer."""
    prefix = str(metadata["general.architecture"])
    return {
        key: value
        for key, value in metadata.items()
        if key == "general.architecture" or key.split(".")[0] in (prefix, "checkpoint", "xielu")
    }


def _shortest(value: t.Any) -> t.Any:
    """Return a number that was stored with 32 bits as a person writes it: 1e-05, not 9.999999747378752e-06."""
    if isinstance(value, list):
        return [_shortest(part) for part in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _checkpoints() -> t.Iterator[dict[str, t.Any]]:
    """Give sets of checkpoint keys, the smallest first."""
    for number in range(_TOGETHER + 1):
        for keys in itertools.combinations(_CHECKPOINT, number):
            for values in itertools.product(*(_CHECKPOINT[key] for key in keys)):
                yield {f"checkpoint.{key}": value for key, value in zip(keys, values, strict=True)}
