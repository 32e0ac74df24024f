# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An entry as the text of its file: keys in the order of the schema, short lists on one line."""

from __future__ import annotations

import typing as t

import yaml

from ...plugins.plugin_utils.catalog import per_layer
from ...plugins.plugin_utils.catalog.schema import ENTRIES

_WIDTH = 116


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def _sequence(dumper: yaml.SafeDumper, values: list[t.Any]) -> yaml.Node:
    short = all(isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 24) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=short)


_Dumper.add_representer(list, _sequence)


def text(kind: str, entry: dict[str, t.Any]) -> str:
    """Return the file's text.

    :raises ContractError: the entry does not have the form of its kind.
    """
    schema = ENTRIES[kind]
    if kind == "model":
        entry = {**entry, "metadata": {key: per_layer.shorten(value) for key, value in entry["metadata"].items()}}
    schema.read(entry, f"{kind} '{entry.get('id')}'")
    ordered = {key: entry[key] for key in schema.model_fields}
    return yaml.dump(
        ordered, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True, default_flow_style=False
    )
