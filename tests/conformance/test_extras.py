# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is loaded beside the model, and the host's memory, against the real llama-server: to the byte."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.tests.conformance.extras_rows import Row, all_rows, said

# Lines that the allocator does not see.
OVERHEAD = ("CUDA context", "cuBLAS workspace", "CUDA memory pool")
# A projector of which only the size of the file was kept: a few hundred tensors, each padded to 128 bytes at most.
PADDING = 2048
# The draft is loaded and dropped, but its file stays mapped.
STAYS_MAPPED = 279085056
ROWS = {row.number: row for row in all_rows()}
REPACKED = [number for number, row in ROWS.items() if "no_host" in row.launch and "no_repack" not in row.launch]
# llama-server chose the split over the GPUs itself.
SPLIT_BY_FIT = [number for number, row in ROWS.items() if row.chosen_by_fit and len(row.gpus) > 1]


def differences(row: Row) -> dict[tuple[str, str], tuple[int, int]]:
    """Return said and measured bytes where they are not equal."""
    answer = row.estimate
    own, measured = said(answer), row.measured()
    if len(row.gpus) > 1:
        _without_copies_between_gpus(row, own)
    if "model_draft" in row.launch and "spec_type" not in row.launch:
        own["host", "weights"] += STAYS_MAPPED
    only_projector = row.data["what"] == "mmproj" or row.number in SPLIT_BY_FIT
    return {
        key: (own.get(key, 0), measured.get(key, 0))
        for key in own.keys() | measured.keys()
        if own.get(key, 0) != measured.get(key, 0)
        and key[1] not in OVERHEAD
        and (not only_projector or key[1].startswith("projector"))
    }


def _without_copies_between_gpus(row: Row, own: dict[tuple[str, str], int]) -> None:
    """The devices of these rows read each other's memory, as CUDA's do not: no four copies of the hidden state."""
    widths = {"compute buffer": row.embedding, "draft compute buffer": row.draft_embedding}
    for line, width in widths.items():
        if own.get(("GPU0", line)) and own.get(("GPU1", line)):
            own["GPU1", line] -= 4 * 4 * width * row.estimate.n_ubatch


@pytest.mark.parametrize("number", [number for number in ROWS if number not in REPACKED])
def test_start(number):
    row = ROWS[number]
    wrong = differences(row)
    whole_file_only = row.data["what"] == "mmproj" and not row.data["model"].startswith("gemma3")
    for key, (own, measured) in list(wrong.items()):
        if whole_file_only and key[1] == "projector weights" and 0 <= measured - own <= PADDING:
            del wrong[key]
    assert not wrong, row.name


def test_repacked_weights_are_left_out_and_few():
    """Weights repacked for the processor (--no-host without --no-repack): their size depends on it."""
    assert len(REPACKED) == 1


@pytest.mark.parametrize("number", [number for number, row in ROWS.items() if row.grown()])
def test_images(number):
    """The largest image needs what the start and the growth say together."""
    row = ROWS[number]
    answer = row.estimate
    for where, most in row.grown().items():
        lines = [
            line.bytes
            for line in answer.lines
            if line.where == where and line.what.startswith(("projector compute", "projector inputs"))
        ]
        # without flash attention the host's inputs did not grow with the image
        assert sum(lines) == most or (where == "host" and "flash_attn" in row.launch and sum(lines) > most), row.name


@pytest.mark.parametrize("number", [number for number, row in ROWS.items() if row.data["what"] == "host"])
def test_kinds_of_host_memory(number):
    row = ROWS[number]
    answer = row.estimate
    measured = row.data["measured"]
    assert answer.host.pinned_bytes == sum(sum(sizes) for sizes in measured.get("CUDA_Host", {}).values()) or (
        number in REPACKED
    )
    if number not in REPACKED:
        assert answer.host.mapped_bytes == sum(sum(sizes) for sizes in measured.get("CPU_Mapped", {}).values())


@pytest.mark.parametrize("number", [number for number, row in ROWS.items() if row.data.get("rss_after")])
def test_growth_of_the_host_is_within_what_is_said(number):
    """Prompts that were run after the start: anonymous memory grew, by the prompt cache and checkpoints among others."""
    row = ROWS[number]
    grown = row.data["rss_after"][-1]["RssAnon"] - row.data["rss"]["RssAnon"]
    limit = row.estimate.host.growth_bytes
    # what the server's own bookkeeping takes
    assert grown <= limit + (64 << 20)
    assert "cache_ram" in row.launch or limit >= 8 << 30


def test_a_checkpoint_is_a_window_or_a_state():
    """Of one slot: 1,024 cells of Gemma's window and Qwen3-Next's state, as the server's log gives them in MiB."""
    sizes = {}
    for row in ROWS.values():
        if row.data["what"] == "checkpoints":
            line = next(line for line in row.estimate.lines if line.what == "context checkpoints")
            sizes[row.data["model"]] = line.bytes / (32 * 4) / 2**20
    assert sizes["gemma3-27b"] == pytest.approx(416.013, abs=0.02)
    assert sizes["qwen3-next-80b"] == pytest.approx(75.376, abs=0.02)
