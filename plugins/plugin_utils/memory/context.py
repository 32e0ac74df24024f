# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sizes of a context: how many cells, tokens at once and sequences, as llama-server derives them from its options.

Sources: `common/arg.cpp`, `llama_context::llama_context` and `llama_kv_cache_iswa` of llama.cpp 0.7.0.
"""

from __future__ import annotations

import typing as t

from .refusals import LaunchRefused

# llama-server without --parallel: four slots that share one cache.
DEFAULT_SLOTS = 4
DEFAULT_BATCH = 2048
DEFAULT_UBATCH = 512
MAXIMUM_SEQUENCES = 256


def pad(value: int, multiple: int) -> int:
    """Return `value` rounded up to a multiple."""
    return (value + multiple - 1) // multiple * multiple


class Context(t.NamedTuple):
    """Sizes of one context.

    `n_ctx` cells in all, `n_ctx_seq` per stream of the cache, `streams` of them (1 when the slots share one cache),
    `n_seqs` slots; `n_batch` and `n_ubatch` tokens at once; `n_outputs` rows of logits; `unified` as `--kv-unified`.
    With speculation, `drafted` tokens at most are checked at once beside a slot's own, and a recurrent state that can be
    taken back is there `kept_states` times.
    """

    n_ctx: int
    n_ctx_seq: int
    n_batch: int
    n_ubatch: int
    n_seqs: int
    streams: int
    unified: bool
    n_outputs: int
    drafted: int = 0
    kept_states: int = 1

    @property
    def n_tokens(self) -> int:
        """Tokens of the largest graph: a micro-batch, rounded up so that every slot has the same number."""
        return pad(min(self.n_ctx, self.n_ubatch), self.n_seqs)

    def window_cells(self, window: int) -> int:
        """Return the cells per stream of a sliding-window cache of `window` tokens."""
        wanted = window * (self.n_seqs if self.unified else 1) + self.n_ubatch
        return pad(min(self.n_ctx_seq, wanted), 256)


def context_of(
    trained: int,
    ctx_size: int | None = None,
    parallel: int | None = None,
    kv_unified: bool | None = None,
    batch_size: int | None = None,
    ubatch_size: int | None = None,
    n_outputs: int | None = None,
) -> Context:
    """Return the context llama-server makes of these options for a model trained with `trained` tokens.

    `n_outputs` is the number of rows of logits per micro-batch: llama-server reserves one a slot, llama-fit-params and
    llama-cli one a token.

    :raises LaunchRefused: more slots than llama.cpp knows sequences.
    """
    automatic = parallel is None or parallel < 0
    n_seqs = DEFAULT_SLOTS if automatic else max(1, parallel or 0)
    unified = automatic if kv_unified is None else kv_unified
    if n_seqs > MAXIMUM_SEQUENCES:
        raise LaunchRefused(f"parallel is {n_seqs}, and llama.cpp knows at most {MAXIMUM_SEQUENCES} sequences")
    wanted = ctx_size or trained
    n_ctx = pad(wanted, 256)
    n_ctx_seq = n_ctx
    if not unified:
        n_ctx_seq = pad(n_ctx // n_seqs, 256)
        n_ctx = n_ctx_seq * n_seqs
    if n_ctx_seq == 0:
        raise LaunchRefused(f"ctx_size {ctx_size} leaves no cells for each of {n_seqs} slots")
    n_batch = min(wanted, batch_size or DEFAULT_BATCH)
    n_ubatch = min(n_batch, ubatch_size or DEFAULT_UBATCH)
    rows = n_seqs if n_outputs is None else min(n_outputs, n_ubatch)
    return Context(n_ctx, n_ctx_seq, n_batch, n_ubatch, n_seqs, 1 if unified else n_seqs, unified, rows)
