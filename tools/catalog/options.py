# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the options of an engine version into its entry, out of what its `llama-server --help` prints.

They are the end of the file; what stands above is written by hand and stays. Options that are gone are kept once known,
since --help stops naming them some versions later.
"""

from __future__ import annotations

import pathlib

import yaml

from ...plugins.plugin_utils.catalog import access
from ...plugins.plugin_utils.render import help as help_text
from ...plugins.plugin_utils.render import options

_BEGINNING = "# What used to be options"
_HEADING = f"{_BEGINNING} and what to use instead; --help names only some of them.\n"


def write(version: str, text: str) -> str:
    """Write the options that a help text describes into the entry of a version; return one sentence for the maintainer.

    :raises ValueError: for a version without an entry, and for a text that is no help text.
    """
    path = access.DATA / access.KINDS["engine"] / f"{version}.yaml"
    entry = access.engine(version)
    described = help_text.read(text)
    table = options.table(described)
    gone = {**entry.get("removed_options", {}), **options.removed(described)}
    _replace_end(path, _section(table, gone))
    return f"{path.name}: {len(table.splitlines())} options, {len(gone)} removed ones"


def _section(table: str, gone: dict[str, str]) -> str:
    removed = yaml.safe_dump({"removed_options": gone}, width=116, sort_keys=True)
    block = "".join(f"  {line}\n" for line in table.splitlines())
    return f"{_HEADING}{removed}# Written by `tools/catalog options`.\noptions: |\n{block}"


def _replace_end(path: pathlib.Path, section: str) -> None:
    above, _found, _old = path.read_text(encoding="utf-8").partition(_BEGINNING)
    path.write_text(above + section, encoding="utf-8")
