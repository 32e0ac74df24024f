# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintain the catalog: `python3 tools/catalog.py --help`. It needs a Python with this collection's requirements."""

from __future__ import annotations

import argparse
import pathlib
import sys
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from plugins.plugin_utils.catalog import access  # noqa: E402

HEADER = "# Names that find an entry. Written by `python3 tools/catalog.py names`; do not edit.\n"


def names_of(kind: str, entry: dict[str, t.Any]) -> list[str]:
    """Return the keys that find an entry: of its id, slug, aliases, names, repository and PCI ids, without doubles."""
    said = [entry["id"], entry["slug"], *entry["aliases"], entry["name"]]
    if kind == "model" and entry["hf_repo"]:
        said += [entry["hf_repo"], entry["hf_repo"].split("/")[-1]]
    if kind == "gpu":
        said += [*entry["reported_names"], *entry["pci_device_ids"]]
    return list(dict.fromkeys(access.name_key(kind, name) for name in said))


def names_text(kind: str) -> str:
    """Return what `names.txt` of a kind must hold: a line for each entry, its id and the keys that find it.

    :raises SystemExit: where two entries claim the same id, slug or alias.
    """
    lines, owners = [], {}
    for path in sorted((access.DATA / access.KINDS[kind]).glob("*.yaml"), key=lambda p: p.stem.lower()):
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))
        for own in dict.fromkeys(access.name_key(kind, n) for n in [entry["id"], entry["slug"], *entry["aliases"]]):
            if own in owners:
                raise SystemExit(f"{kind} '{entry['id']}' and {kind} '{owners[own]}' are both called '{own}'")
            owners[own] = entry["id"]
        lines.append(" ".join([entry["id"], *names_of(kind, entry)]) + "\n")
    return HEADER + "".join(lines)


def write_names() -> None:
    """Write `names.txt` of every kind."""
    for kind in access.NAMED_KINDS:
        (access.DATA / access.KINDS[kind] / "names.txt").write_text(names_text(kind), encoding="utf-8")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="tools/catalog.py", description="Maintain the catalog.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    names = commands.add_parser("names", help="write the files that say by which names an entry is found")
    names.set_defaults(run=lambda arguments: write_names())
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
