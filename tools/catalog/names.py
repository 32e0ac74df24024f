# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that say by which names an entry is found (`names.txt`)."""

from __future__ import annotations

import typing as t

import yaml

from ...plugins.plugin_utils.catalog import access

HEADER = "# Names that find an entry. Written by `python3 tools/catalog names`; do not edit.\n"


def write() -> None:
    """Write `names.txt` of every kind.

    :raises CatalogError: two entries claim the same id, slug or alias.
    """
    texts = {kind: text(kind) for kind in access.NAMED_KINDS}
    for kind, content in texts.items():
        (access.DATA / access.KINDS[kind] / "names.txt").write_text(content, encoding="utf-8")


def text(kind: str) -> str:
    """Return what `names.txt` of a kind must hold: a line for each entry, its id and the keys that find it.

    :raises CatalogError: two entries claim the same id, slug or alias.
    """
    lines = []
    owners: dict[str, str] = {}
    for path in sorted((access.DATA / access.KINDS[kind]).glob("*.yaml"), key=lambda path: path.stem.lower()):
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))
        for own in _keys(kind, [entry["id"], entry["slug"], *entry["aliases"]]):
            if own in owners:
                raise access.CatalogError(f"{kind} '{entry['id']}' and {kind} '{owners[own]}' are both called '{own}'")
            owners[own] = entry["id"]
        lines.append(" ".join([entry["id"], *_keys(kind, _said(kind, entry))]) + "\n")
    return HEADER + "".join(lines)


def _said(kind: str, entry: dict[str, t.Any]) -> list[str]:
    """Return every name that an entry says it has."""
    said = [entry["id"], entry["slug"], *entry["aliases"], entry["name"]]
    if kind == "model" and entry["hf_repo"]:
        said += [entry["hf_repo"], entry["hf_repo"].split("/")[-1]]
    if kind == "gpu":
        said += [*entry["reported_names"], *entry["pci_device_ids"]]
    return said


def _keys(kind: str, said: list[str]) -> list[str]:
    return list(dict.fromkeys(access.name_key(kind, name) for name in said))
