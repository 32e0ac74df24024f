# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""llama-fit-params: what llama.cpp itself says that a launch takes on each device, without allocating it."""

from __future__ import annotations

import re
import typing as t

from . import bounded

PROGRAM = "llama-fit-params"
MIB = 2**20
_HELP_SECONDS = 30.0

# A line for each device, in MiB rounded down: name, model, context, compute
_ROW = re.compile(r"^(\S+) (\d+) (\d+) (\d+) *$", re.MULTILINE)


def ask(
    program: str, options: t.Sequence[t.Sequence[str]], environment: t.Mapping[str, str], seconds: float
) -> tuple[list[dict[str, t.Any]], list[str]]:
    """Return `[{device, weights_bytes, kv_bytes, compute_bytes}]`, the host last and called Host, and the options it does not have.

    :param options: of llama-server, each with its values. Those about serving are unknown to llama-fit-params.
    :raises Broken: it refuses the launch, or cannot be asked; the text is a predicate with its own words.
    """
    known = set(
        re.findall(
            r"--[a-z0-9-]+", _text(bounded.run([program, "--help"], min(seconds, _HELP_SECONDS), more=environment))
        )
    )
    taken = [option for option in options if option[0] in known]
    words = [word for option in taken for word in option]
    result = bounded.run([program, *words, "--fit-print", "on"], seconds, more=environment)
    rows = [
        {
            "device": name,
            "weights_bytes": int(model) * MIB,
            "kv_bytes": int(context) * MIB,
            "compute_bytes": int(compute) * MIB,
        }
        for name, model, context, compute in _ROW.findall(result.output.decode("utf-8", "replace"))
    ]
    if result.status or not rows:
        raise bounded.Broken(f"refuses the launch: {result.reason}")
    return rows, [option[0] for option in options if option[0] not in known]


def _text(result: bounded.Result) -> str:
    if result.status:
        raise bounded.Broken(f"has no --help: {result.text[:200]}")
    return result.output.decode("utf-8", "replace")
