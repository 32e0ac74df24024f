# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer: tokens per second with their band, and what they rest on."""

from __future__ import annotations

import dataclasses
import typing as t

from ..contract.plan import Band, Speed
from .decode import decode_seconds
from .host_rates import HostRates
from .prefill import prefill_seconds
from .rates import PACES, DeviceRates
from .work import Work

# Tokens of the prompt that the prefill rate is told for.
PROMPT_TOKENS = 2048

# No graph runs in less: keeps a model without tensors from being told as infinitely fast.
_LEAST_SECONDS = 1e-6

# A measured rate moves with load, clocks and context: by so much either way.
_MEASURED_FACTOR = 1.1


@dataclasses.dataclass(frozen=True, slots=True)
class MeasuredSpeed:
    """What a running server told of the same launch on the same host, in tokens per second; unknown is None."""

    decode: float | None = None
    prefill: float | None = None


def estimate(
    work: Work,
    devices: t.Sequence[DeviceRates],
    host: HostRates,
    *,
    ubatch: int = 512,
    depth: int = 0,
    prompt_tokens: int = PROMPT_TOKENS,
    ram_bytes: float | None = None,
    op_offload: bool = True,
    measured: MeasuredSpeed | None = None,
) -> Speed:
    """Return the rates of one request at the depth of context that `work` was counted for.

    `basis` is measured where the decode rate was measured on this host, calibrated where all hardware that takes part is
    of a kind the rules were calibrated on, else roofline. The prompt is read behind the context that is already there.

    :param devices: the rates of the GPUs, in the order of `work.parts`.
    :param ram_bytes: RAM that weights may take; None where they are all held there.
    """
    decode = _rates(1, [decode_seconds(work, devices, host, ram_bytes, pace) for pace in PACES])
    prefill = _rates(
        prompt_tokens,
        [prefill_seconds(work, devices, host, prompt_tokens, ubatch, ram_bytes, op_offload, pace) for pace in PACES],
    )
    if measured is not None and measured.prefill:
        prefill = _measured(measured.prefill)
    if measured is not None and measured.decode:
        decode = _measured(measured.decode)
        return Speed(depth=depth, decode_tokens_per_second=decode, prefill_tokens_per_second=prefill, basis="measured")
    takes_part = [rates.basis for part, rates in zip(work.parts, devices, strict=True) if part.dense.stored_bytes]
    held = work.host.dense.stored_bytes + work.host.experts.stored_bytes
    if held:
        takes_part.append(host.basis)
    if ram_bytes is not None and held > ram_bytes:
        takes_part.append(host.disk_basis)
    known = all(basis == "calibrated" for basis in takes_part)
    return Speed(
        depth=depth,
        decode_tokens_per_second=decode,
        prefill_tokens_per_second=prefill,
        basis="calibrated" if known else "roofline",
    )


def _rates(tokens: int, seconds: t.Sequence[float]) -> Band:
    return _band([tokens / max(each, _LEAST_SECONDS) for each in seconds])


def _measured(figure: float) -> Band:
    return _band([figure / _MEASURED_FACTOR, figure, figure * _MEASURED_FACTOR])


def _band(figures: t.Sequence[float]) -> Band:
    """Return the band with three significant digits: more would pretend to be known."""
    low, expected, high = (float(f"{figure:.3g}") for figure in figures)
    return Band(low=low, expected=expected, high=high)
