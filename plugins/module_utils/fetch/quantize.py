# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model quantised on the host, by llama-quantize. Its own dry run says beforehand how large the result will be."""

from __future__ import annotations

import os
import re
import typing as t

from .. import bounded
from .parts import FetchError, Part

_DRY_RUN_SECONDS = 600.0
_SECONDS = 7 * 86400.0


class QuantizeSource:
    """`request`: `{program, input, type, imatrix, name}`; the result is one file called `name`."""

    def __init__(self, request: dict[str, t.Any]) -> None:
        self._request = request

    def parts(self) -> list[Part]:
        text = self._run(["--dry-run"], "/dev/null", _DRY_RUN_SECONDS)
        return [Part(self._request["name"], predicted_bytes(text), None, exact=False)]

    def fetch(self, part: Part, target: str) -> None:
        # It cannot go on where it was broken off
        partial = f"{target}.partial"
        self._run([], partial, _SECONDS)
        os.replace(partial, target)

    def _run(self, options: list[str], target: str, seconds: float) -> str:
        request = self._request
        matrix = ["--imatrix", request["imatrix"]] if request.get("imatrix") else []
        argv = [request["program"], *options, *matrix, request["input"], target, request["type"]]
        try:
            done = bounded.run(argv, seconds)
        except bounded.Broken as problem:
            raise FetchError(f"{request['program']} {problem}") from problem
        text = (done.output + done.error).decode("utf-8", "replace")
        if done.status:
            last = [line for line in text.splitlines() if line.strip()][-3:]
            raise FetchError(f"{request['program']} failed: {' | '.join(last)}")
        return text


def predicted_bytes(text: str) -> int | None:
    """Return the size of the result that a dry run tells in MiB, None where it tells none."""
    found = re.search(r"quant size\s*=\s*([\d.]+) MiB", text)
    return int(float(found[1]) * (1 << 20)) if found else None
