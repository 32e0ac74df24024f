# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a host's measurements count for a model and an engine: those of this very model, by this very build."""

from __future__ import annotations

from ..catalog import access as catalog
from ..contract.measured import Measured, MeasuredRun


def counted(
    measured: Measured | None,
    *,
    engine: str,
    parameters: int | None,
    tensor_bytes: int,
    model_id: str | None = None,
    quant: str | None = None,
) -> list[MeasuredRun]:
    """Return the runs that count, the newest first.

    :param engine: version of llama.cpp that is planned with; the number of its build has to be that of the run.
    :param parameters: values of all tensors, and `tensor_bytes` their bytes, as llama.cpp counts them when it loads a model.
    :param model_id: with `quant`, tells a model whose file nobody has seen: its size is then known by a recipe only. Leave
        both out where the model is a file.
    """
    if measured is None:
        return []
    build = catalog.engine(engine)["build"]
    return [
        run
        for run in reversed(measured.runs)
        if run.engine.build == build
        and (
            (run.model.parameters, run.model.bytes) == (parameters, tensor_bytes)
            or (model_id is not None and (run.model.id, run.model.quant) == (model_id, quant))
        )
    ]
