# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of the catalog: models, GPUs, servers, quantisations and engine versions, each a YAML file named by its id.

An entry is found by its id, its URL slug, an alias or, for a GPU, the name and PCI id that its driver reports; case and
punctuation do not matter. `data/<kind>/names.txt` holds these names (written by `tools/catalog names`), so that a play reads
that one small file and the entries it asks for: parsing all models costs a hundred times as much as one.
"""

from __future__ import annotations

import copy
import csv
import difflib
import functools
import pathlib
import re
import typing as t

import yaml

from . import per_layer

DATA = pathlib.Path(__file__).parent / "data"
KINDS = {"model": "models", "gpu": "gpus", "server": "servers", "quant": "quants", "engine": "engines"}
NAMED_KINDS = ("model", "gpu", "server", "quant")  # those whose entries have a slug and aliases

# The C parser where PyYAML was built with it: 0.5 ms for an entry instead of 6.
_Loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Words that some drivers put into a GPU's name and others leave out. "Laptop" or "Max-Q" is another part and stays.
_GPU_NOISE = frozenset(
    (
        "nvidia",
        "amd",
        "ati",
        "intel",
        "r",
        "tm",
        "geforce",
        "tesla",
        "radeon",
        "instinct",
        "generation",
        "edition",
        "graphics",
    )
)


class CatalogError(ValueError):
    """The catalog has no such entry, or the name fits several; the text is one sentence and suggests names."""


def model(name: str) -> dict[str, t.Any]:
    """Return the entry of a model: identity, licence, capabilities, and `metadata`, the keys its GGUF file carries."""
    return _entry("model", name)


def gpu(name: str) -> dict[str, t.Any]:
    """Return the entry of a GPU: its memory, rates, links, MIG profiles, and the names its driver reports."""
    return _entry("gpu", name)


def server(name: str) -> dict[str, t.Any]:
    """Return the entry of a server that can be rented: its GPUs by catalog id, RAM, processor, prices seen."""
    return _entry("server", name)


def quant(name: str) -> dict[str, t.Any]:
    """Return the entry of a quantisation, a block type or a recipe of llama-quantize: bits per weight, tier, divergence."""
    return _entry("quant", name)


def find_quant(name: str | None) -> dict[str, t.Any] | None:
    """Return the entry of a quantisation, or None where a file names one that the catalog does not have."""
    known = _names("quant").ids_by_key.get(name_key("quant", name or ""))
    return copy.deepcopy(_load("quant", known[0])) if known else None


def engine(version: str | None = None) -> dict[str, t.Any]:
    """Return the data of a version of llama.cpp, of the newest one that the collection knows when none is named.

    :raises CatalogError: for a version that the collection does not know.
    """
    versions = engine_versions()
    if version is None:
        return copy.deepcopy(_load("engine", versions[-1]))
    if version not in versions:
        raise CatalogError(
            f"engine '{_shown(version)}' is not known; give {_any_of(versions)}, or leave it out for the newest"
        )
    return copy.deepcopy(_load("engine", version))


def names(kind: str) -> list[str]:
    """Return the ids of all entries of a kind (model, gpu, server, quant), sorted without regard to case."""
    return list(_names(kind).keys_by_id)


def gpu_by_name(
    name: str | None, pci_device_id: str | None = None, memory_total_bytes: int | None = None
) -> dict[str, t.Any] | None:
    """Return the entry of the GPU that a driver calls `name`, or None where the catalog cannot tell which it is.

    :param pci_device_id: vendor and device, `10de:26b9`. Some parts share one.
    :param memory_total_bytes: tells apart parts that differ in memory only, as the RTX 3060 of 12 and of 8 GB do.
    """
    ids_by_key = _names("gpu").ids_by_key
    by_name = ids_by_key.get(name_key("gpu", name or ""), ())
    by_pci = ids_by_key.get(name_key("gpu", pci_device_id or ""), ())
    both = [found for found in by_name if found in by_pci]
    entries = [_load("gpu", found) for found in both or by_name or by_pci]
    if memory_total_bytes:
        # What a driver reports lies up to a tenth below the nominal size (ECC, firmware), and never above it. How much of
        # unified memory a GPU is given is a setting.
        fitting = [e for e in entries if 0.9 <= memory_total_bytes / e["memory"]["nominal_bytes"] <= 1.01]
        entries = fitting or [e for e in entries if e["unified_memory"]]
    return copy.deepcopy(entries[0]) if len(entries) == 1 else None


def published_files(model_name: str) -> list[dict[str, t.Any]]:
    """Return the GGUF files of a model whose size is known, as publishers or logs state it.

    Each has `repository, quant, size_bytes, precision_bytes` (half a unit of the last printed digit, 0 for an exact figure),
    `kind` (`file`, or `tensors` for llama.cpp's own figure, which leaves the header out), `source` and `note`.
    """
    path = DATA / "models" / f"{_find('model', model_name)}.files.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as rows:
        return [
            {**row, "size_bytes": int(row["size_bytes"]), "precision_bytes": int(row["precision_bytes"])}
            for row in csv.DictReader(rows)
        ]


@functools.cache
def data_date() -> str:
    """Return the day of which the catalog's data are, as 2026-11-21."""
    return (DATA / "date.txt").read_text(encoding="utf-8").strip()


def name_key(kind: str, name: str) -> str:
    """Return what a name is compared by: lower case, words joined by hyphens, for a GPU without the vendor's words."""
    words = re.findall("[a-z0-9]+", name.lower())
    if kind == "gpu":
        words = [word for word in words if word not in _GPU_NOISE]
    return "-".join(words)


class _Names(t.NamedTuple):
    keys_by_id: dict[str, list[str]]
    ids_by_key: dict[str, list[str]]


@functools.cache
def _names(kind: str) -> _Names:
    if kind not in NAMED_KINDS:
        raise CatalogError(f"the catalog has no kind '{kind}'; it has {_any_of(NAMED_KINDS)}")
    keys_by_id: dict[str, list[str]] = {}
    ids_by_key: dict[str, list[str]] = {}
    for line in (DATA / KINDS[kind] / "names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        identifier, *keys = line.split()
        keys_by_id[identifier] = keys
        for key in keys:
            ids_by_key.setdefault(key, []).append(identifier)
    return _Names(keys_by_id, ids_by_key)


@functools.cache
def engine_versions() -> list[str]:
    """Return the versions of llama.cpp that have data, the newest last."""
    versions = [path.stem for path in (DATA / KINDS["engine"]).glob("*.yaml")]
    return sorted(versions, key=lambda version: [int(part) for part in version.split(".")])


def _entry(kind: str, name: str) -> dict[str, t.Any]:
    # A copy, since callers fill in what they know.
    return copy.deepcopy(_load(kind, _find(kind, name)))


@functools.lru_cache(maxsize=256)
def _load(kind: str, identifier: str) -> dict[str, t.Any]:
    with (DATA / KINDS[kind] / f"{identifier}.yaml").open("rb") as text:
        entry = yaml.load(text, Loader=_Loader)
    if kind == "model" and entry["metadata"]:
        entry["metadata"] = {key: per_layer.expand(value) for key, value in entry["metadata"].items()}
    return entry


def _find(kind: str, name: str) -> str:
    """Return the id of the entry that `name` means."""
    if not isinstance(name, str) or not name.strip():
        raise CatalogError(f"a {kind} of the catalog is named by text such as '{names(kind)[0]}'")
    known = _names(kind)
    key = name_key(kind, name)
    found = known.ids_by_key.get(key, ())
    if len(found) == 1:
        return found[0]
    shown = _shown(name)
    if found:
        raise CatalogError(f"{kind} '{shown}' may be {_any_of(found)}; say which")
    near = _near(known, key)
    hint = f"did you mean {_any_of(near)}?" if near else f"none of the catalog's {len(known.keys_by_id)} is near"
    raise CatalogError(f"no {kind} '{shown}'; {hint}")


def _near(known: _Names, key: str) -> list[str]:
    """Return up to three ids whose names look like `key`: the same but for punctuation, beginning alike, or spelt alike."""
    bare = key.replace("-", "")
    same = [k for k in known.ids_by_key if k.replace("-", "") == bare]
    begins = [k for k in known.ids_by_key if len(bare) >= 3 and k.replace("-", "").startswith(bare)]
    alike = difflib.get_close_matches(key, known.ids_by_key, n=3, cutoff=0.7)
    ids = [identifier for k in same or begins or alike for identifier in known.ids_by_key[k]]
    return list(dict.fromkeys(ids))[:3]


def _shown(name: object) -> str:
    text = str(name)
    return text if len(text) <= 80 else text[:77] + "..."


def _any_of(words: t.Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
