# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of docs/guide as something to run: files that a reader writes, and commands, in the order of the page.

What follows the word `shell` says what a command needs beside the controller: nothing, `hosts`, a `cluster`. Two kinds are not
run: `network` asks services of the Internet or an AWX, `pods` containers that run.
"""

from __future__ import annotations

import os
import re
import subprocess
import typing as t
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "guide"
KINDS = {"", "hosts", "cluster"}
NOT_RUN = {"network", "pods"}

_BLOCK = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(t.NamedTuple):
    """`language` is shell or that of a file; `name` is the kind of a command, the path of a file."""

    language: str
    name: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, such as hosts.md."""
    return [Block(*found.groups()) for found in _BLOCK.finditer((FOLDER / page).read_text(encoding="utf-8"))]


def follow(
    page: str,
    folder: Path,
    environment: t.Mapping[str, str],
    kinds: t.Collection[str],
    given: t.Mapping[str, str] | None = None,
    before: t.Sequence[str] = (),
) -> list[str]:
    """Do what a page says, in one shell from its beginning; return what was printed by the commands of each block that ran.

    :param kinds: of commands to run.
    :param given: files in place of those of the page: the reader's own hosts and models.
    :param before: the beginning of the command that starts the shell.
    """
    script = ["set -eu"]
    outputs = []
    for block in blocks(page):
        if block.language != "shell":
            path = folder / block.name
            script.append(
                f"mkdir -p '{path.parent}'; cat > '{path}' <<'END OF FILE'\n{(given or {}).get(block.name, block.text)}END OF FILE"
            )
        elif block.name in kinds:
            output = folder / f".output{len(outputs)}"
            outputs.append(output)
            script.append(f"{{\n{block.text}}} > '{output}' 2>&1 || {{ cat '{output}'; exit 1; }}")
    done = subprocess.run(
        [*before, "bash", "-c", "\n".join([f"cd '{folder}'", *script])],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{page}: a command failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return [output.read_text(encoding="utf-8") for output in outputs]
